"""What goes wrong, when: one kind of fault a method, each at intervals drawn around its mean."""

from collections.abc import Callable

from tests.simulation.clock import MS
from tests.simulation.process import Process
from tests.simulation.world import World


class Nemesis:
    """The faults of one run, until they are called off."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self.is_on = True
        self._spare = self._draw_spare()
        """Voters whose disks may be lost or damaged: without them both quorums can be had."""
        faults = world.faults
        self._every(faults.crash, self._crash)
        self._every(faults.bounce, self._bounce)
        self._every(faults.cut, self._cut)
        self._every(faults.clog, self._clog)
        self._every(faults.unlink, self._unlink)
        self._every(faults.mutiny, self._mutiny)
        self._every(faults.pause, self._pause)
        self._every(faults.slow_disk, self._slow_disk)
        self._every(faults.full_disk, self._full_disk)
        self._every(faults.wipe, self._wipe)
        self._every(faults.rot, self._rot)
        self._every(faults.misdirect, self._misdirect)
        self._every(faults.resign, self._resign)
        self._every(faults.wall_jump, self._wall_jump)
        self._every(faults.client_cut, self._client_cut)
        self._every(faults.client_death, self._client_death)
        self._every(250, self._restart)
        self._every(400, world.network.mend)

    def _draw_spare(self) -> set[int]:
        plan, system = self.world.plan, self.world.system
        spare: set[int] = set()
        order = list(range(1, plan.voters + 1))
        self.random.shuffle(order)
        for number in order:
            rest = set(order) - spare - {number}
            if system.is_election_quorum(rest) and system.is_replication_quorum(rest):
                spare.add(number)
        return spare | set(plan.replicas[plan.voters :])

    def _every(self, mean_ms: int, action: Callable[[], None]) -> None:
        if mean_ms:
            delay_us = int(self.random.expovariate(1 / (mean_ms * MS)))
            self.world.timeline.at(delay_us, self._again, mean_ms, action)

    def _again(self, mean_ms: int, action: Callable[[], None]) -> None:
        if self.is_on:
            action()
            self._every(mean_ms, action)

    def _count(self, fault: str) -> None:
        self.world.counts[f"fault {fault}"] += 1
        self.world.trace("fault", fault)

    def _any(self) -> Process:
        return self.world.processes[self.random.choice(self.world.plan.replicas)]

    def _leader_or_any(self) -> Process:
        leader = self.world.leader
        if leader is not None and self.random.random() < 0.5:
            return self.world.processes[leader]
        return self._any()

    # --------------------------------------------------------------------------- processes

    def _crash(self) -> None:
        self._count("crash")
        if self.random.random() < 0.1:
            for process in self.world.processes.values():
                process.stop()
        else:
            self._leader_or_any().stop(is_silent=self.random.random() < 0.3)

    def _bounce(self) -> None:
        self._count("restart")
        process = self._leader_or_any()
        process.stop()
        process.start()

    def _restart(self) -> None:
        down = [each for each in self.world.processes.values() if each.life is None]
        if down:
            self.random.choice(down).start()

    def _pause(self) -> None:
        self._count("pause")
        longest_ms = self.world.plan.tick_ms * 3
        duration_ms = self.random.choice((20, 200, longest_ms))
        self._leader_or_any().pause(duration_ms * MS)

    def _resign(self) -> None:
        leader = self.world.leader
        if leader is not None:
            self._count("resignation")
            life = self.world.processes[leader].life
            if life is not None:
                life.input(life.node.resign)

    def _wall_jump(self) -> None:
        self._count("clock jump")
        self._any().clock.wall_offset_ms += self.random.randint(-100_000, 100_000)

    # ----------------------------------------------------------------------------- network

    def _cut(self) -> None:
        numbers = list(self.world.plan.replicas)
        draw = self.random.random
        match self.random.randrange(4):
            case 0:
                inside = {self._leader_or_any().id}
            case 1:
                inside = {self._any().id}
            case 2:
                inside = {number for number in numbers if draw() < 0.5}
            case _:
                self._count("one-way partition")
                pairs = {(a, b) for a in numbers for b in numbers if a != b and draw() < 0.25}
                self.world.network.partition(pairs)
                return
        self._count("partition")
        self._isolate(inside)

    def _isolate(self, inside: set[int]) -> None:
        outside = set(self.world.plan.replicas) - inside
        pairs = {pair for a in inside for b in outside for pair in ((a, b), (b, a))}
        self.world.network.partition(pairs)

    def _mutiny(self) -> None:
        """A leader that lives is left by all the others, who vote; soon it is back."""
        leader = self.world.leader
        if leader is None or self.world.network.cut:
            return
        self._count("mutiny")
        for other in self.world.plan.replicas:
            if other != leader:
                self.world.network.break_link(leader, other)
        self._isolate({leader})
        delay_us = self.random.choice((10, 60, 800)) * MS
        self.world.timeline.at(delay_us, self.world.network.mend)

    def _clog(self) -> None:
        """One after the other, ways are held up, and let go in another order."""
        self._count("clog")
        numbers = self.world.plan.replicas
        for here in numbers:
            for there in numbers:
                if here != there and self.random.random() < 0.2:
                    duration_us = int(self.random.expovariate(1 / (200 * MS)))
                    self.world.network.hold(here, there, duration_us)

    def _unlink(self) -> None:
        one, other = self._any().id, self._any().id
        if one != other:
            self._count("broken link")
            self.world.network.break_link(one, other)

    # ------------------------------------------------------------------------------- disks

    def _slow_disk(self) -> None:
        self._count("slow disk")
        duration_us = int(self.random.expovariate(1 / (300 * MS)))
        self._leader_or_any().slow_until = self.world.timeline.now + duration_us

    def _full_disk(self) -> None:
        process = self._any()
        self._count("full disk")
        process.disk.is_full = True
        duration_us = int(self.random.expovariate(1 / (200 * MS)))
        self.world.timeline.at(duration_us, self._make_room, process)

    def _make_room(self, process: Process) -> None:
        process.disk.is_full = False

    def _victim(self) -> Process | None:
        """A replica whose disk may be lost, once the ensemble is founded."""
        if not self._spare or not self.world.invariants.sequence:
            return None
        return self.world.processes[self.random.choice(sorted(self._spare))]

    def _wipe(self) -> None:
        victim = self._victim()
        if victim is not None:
            self._count("wiped disk")
            victim.wipe()

    def _rot(self) -> None:
        victim = self._victim()
        if victim is not None and victim.disk.rot(self.random):
            self._count("bit rot")
            self._perhaps_restart(victim)

    def _misdirect(self) -> None:
        victim = self._victim()
        if victim is not None and victim.disk.misdirect(self.random):
            self._count("misdirected write")
            self._perhaps_restart(victim)

    def _perhaps_restart(self, victim: Process) -> None:
        """What is on a disk is read, mostly, after a restart."""
        if self.random.random() < 0.6:
            victim.stop()
            victim.start()

    # ----------------------------------------------------------------------------- clients

    def _client_cut(self) -> None:
        self.random.choice(self.world.clients).cut()

    def _client_death(self) -> None:
        living = [client for client in self.world.clients if not client.is_dead]
        if len(living) > 1:
            self._count("client death")
            self.random.choice(living).die()
            self.world.add_client()
