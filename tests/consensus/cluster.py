"""A simulated ensemble of real nodes: one seed is one run.

`python -m tests.consensus.cluster --seeds 0:1000` runs many; the last line is a summary, and the
exit status is 1 when a rule was broken.

Time is a queue of events. A replica is a Node with the driver's duties done as the effects say, in
order, and it may crash between any two of them; messages are lost, repeated and reordered; disks
are slow and forget what was not synced.
"""

import argparse
import sys
from collections.abc import Iterable

from coord.consensus.configuration import Member, MemberRole
from coord.consensus.effects import InstalledSnapshot
from coord.consensus.messages import Message
from coord.consensus.node import Node
from coord.consensus.role import RoleName
from coord.consensus.settings import Limits, NodeSettings
from coord.quorums import QuorumSystem, parse
from tests.consensus.checkers import require
from tests.consensus.disk import Disk
from tests.consensus.simulated import Replica, Verb
from tests.consensus.world import Faults, World

SMALL = Limits(message=900, window=2000, tail=1200, uncommitted=6000, history=3000, apply=2000)
"""So small that every bound is met in a run of seconds."""


class Cluster(World):
    """An ensemble in a world."""

    heartbeat_ms = 20
    election_ms = 150

    def __init__(
        self,
        count: int,
        quorums: str,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        observers: Iterable[int] = (),
        limits: Limits = SMALL,
    ) -> None:
        super().__init__(seed, faults)
        self.limits = limits
        self.quorums = quorums
        self._proposals = 0
        self._tokens = 0
        outside = set(observers)
        self.members = tuple(
            Member(
                id=n,
                birth=0,
                role=MemberRole.OBSERVER if n in outside else MemberRole.VOTER,
                peer_address=f"peer{n}:2888",
                client_address=f"client{n}:2181",
            )
            for n in range(1, count + 1)
        )
        self.replicas = {
            m.id: Replica(self, m.id, self._new_disk(), self.random.randrange(10**6))
            for m in self.members
        }

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(self.replicas)

    @property
    def system(self) -> QuorumSystem:
        """The quorum system over the configured voters."""
        voters = [m.id for m in self.members if m.role == MemberRole.VOTER]
        return parse(self.quorums, voters)

    def _new_disk(self) -> Disk:
        return Disk(self.random.randrange(1, 1 << 62))

    # Lives of replicas

    def start(self, *numbers: int) -> None:
        """Start replicas that are down, all by default, and connect them."""
        for number in numbers or self.numbers:
            if self.replicas[number].node is not None:
                continue
            self.replicas[number].start(self._settings(number))
            for peer in self.numbers:
                if self.replicas[peer].node is not None:
                    self.say_connection(peer, number, is_made=True)
                    self.say_connection(number, peer, is_made=True)

    def crash(self, number: int) -> None:
        """Stop a replica."""
        if self.replicas[number].node is not None:
            self.replicas[number].crash()
            for peer in self.numbers:
                self.say_connection(peer, number, is_made=False)

    def restart(self, number: int) -> None:
        self.crash(number)
        self.start(number)

    def wipe(self, number: int) -> None:
        """Stop a replica and lose its disk."""
        self.crash(number)
        self.log(f"{number} loses its disk")
        self.replicas[number].disk = self._new_disk()

    def _settings(self, number: int) -> NodeSettings:
        return NodeSettings(
            id=number,
            birth=self.replicas[number].disk.birth,
            members=self.members,
            quorums=self.quorums,
            heartbeat_ms=self.heartbeat_ms,
            election_ms=self.election_ms,
            genesis=b"genesis",
            limits=self.limits,
        )

    # Links

    def deliver(self, sender: int, peer: int, message: Message) -> None:
        self.replicas[peer].input(lambda node: node.receive(sender, message))

    def say_connection(self, to: int, about: int, *, is_made: bool) -> None:
        if to == about or self.random.random() >= self.faults.says_connections:
            return
        birth = self.replicas[about].disk.birth
        made: Verb = lambda node: node.connected(about, birth)  # noqa: E731
        lost: Verb = lambda node: node.disconnected(about)  # noqa: E731
        verb = made if is_made else lost
        self.at(self.random.uniform(0.0, 1.0), lambda: self.replicas[to].input(verb))

    def say_flap(self, number: int, peer: int) -> None:
        """Tell a replica that its connection with a peer was lost and made again."""
        self.say_connection(number, peer, is_made=False)
        self.say_connection(number, peer, is_made=True)

    def transfer(self, sender: int, receiver: int) -> None:
        """Carry the sender's tree to the receiver, if nothing comes between."""
        self.log(f"{sender} sends a snapshot to {receiver}")
        source, target = self.replicas[sender], self.replicas[receiver]
        point, configuration = source.disk.tree.point, source.disk.tree.configuration
        if configuration is None:
            require(condition=False, rule="4: a leader lacks what a member knows to be committed")
            return
        snapshot = InstalledSnapshot(
            point.index, point.epoch, point.chain, f"tree at {point}", configuration
        )
        source.transfers.add(receiver)
        lives = (source.life, target.life)
        fails = self.random.random() < self.faults.transfer_failure

        def arrive() -> None:
            is_cut = (sender, receiver) in self.cut or source.life != lives[0]
            if not fails and not is_cut and target.life == lives[1]:
                target.input(lambda node: node.snapshot_received(snapshot))
            if source.life == lives[0]:
                source.transfers.discard(receiver)
                source.input(lambda node: node.transfer_ended(receiver))

        self.at(self.random.uniform(1.0, 60.0), arrive)

    # What tests ask and do

    def node(self, number: int) -> Node:
        node = self.replicas[number].node
        assert node is not None, f"replica {number} is down"
        return node

    @property
    def leader(self) -> int | None:
        """The established leader of the greatest epoch; None when there is none."""
        leading = [
            (r.node.epoch, r.id)
            for r in self.replicas.values()
            if r.node and r.node.role is RoleName.LEADER and r.node.established
        ]
        return max(leading)[1] if leading else None

    def propose(self, number: int, size: int = 20) -> bytes | None:
        """Propose something new at a replica; return it, or None when it cannot."""
        replica = self.replicas[number]
        if replica.node is None or not replica.is_awake or not replica.node.can_propose:
            return None
        self._proposals += 1
        payload = b"%d:" % self._proposals + bytes(size)
        replica.node.propose(payload)
        replica.input(lambda node: None)
        return payload

    def barrier(self, number: int) -> None:
        """Ask a replica, if it leads, for a read barrier."""
        replica = self.replicas[number]
        node = replica.node
        if node is None or not replica.is_awake or node.role is not RoleName.LEADER:
            return
        if node.established:
            self._tokens += 1
            replica.barriers[self._tokens] = len(self.checkers.applied)
            node.barrier(self._tokens)
            replica.input(lambda node: None)

    def resign(self, number: int) -> None:
        """Ask a replica to hand over."""
        self.replicas[number].input(lambda node: node.resign())

    def await_leader(self, limit_ms: float = 5000.0) -> int:
        """Let time pass until somebody leads who can be heard; return who."""
        self.run_until(lambda: self.leader is not None, limit_ms)
        assert self.leader is not None
        return self.leader

    def commit(self, size: int = 20, limit_ms: float = 5000.0) -> bytes:
        """Propose at the leader, again to each new one, until something is applied; return it."""
        tried: list[bytes] = []

        def is_applied() -> bool:
            leader = self.leader
            if leader is not None and (not tried or self.random.random() < 0.01):
                payload = self.propose(leader, size)
                tried.extend([payload] if payload else [])
            return any(payload in self.checkers.positions for payload in tried)

        self.run_until(is_applied, limit_ms)
        return next(payload for payload in tried if payload in self.checkers.positions)

    def is_level(self, *numbers: int) -> bool:
        """Tell whether replicas, all that live by default, have applied all that anybody has."""
        live = [r for r in self.replicas.values() if r.node is not None]
        chosen = [self.replicas[n] for n in numbers] or live
        return all(r.applied.index == len(self.checkers.applied) for r in chosen)

    def demand_progress(self) -> None:
        """Heal everything; then somebody must lead, commit, and bring everybody level."""
        self.faults = Faults()
        self.heal()
        self.start()
        for _ in range(3):
            self.commit(limit_ms=20_000.0)
        self.run_until(self.is_level, 20_000.0)
        for number in self.numbers:
            knows = self.node(number).commit_index == len(self.checkers.applied)
            require(knows, "everybody knows all that is committed")


def main() -> int:
    """Run seeds from the command line."""
    from tests.consensus.chaos import Run

    parser = argparse.ArgumentParser(description="Run simulated ensembles, one per seed.")
    parser.add_argument("--seeds", default="0:100", help="A:B runs seeds A to B - 1")
    parser.add_argument("--trace", action="store_true", help="print the last steps of a failure")
    options = parser.parse_args()
    first, last = (int(part) for part in options.seeds.split(":"))
    failures = applied = 0
    for seed in range(first, last):
        run = Run(seed)
        try:
            applied += run.to_the_end()
        except Exception as error:  # noqa: BLE001 - every failure of a seed is to be reported
            failures += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
            if options.trace:
                print("\n".join(run.cluster.trace))
    print(f"{last - first} seeds, {failures} failed, {applied} entries applied")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
