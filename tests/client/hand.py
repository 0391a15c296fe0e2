"""Somebody else's hand in the znodes of real servers, and what it finds: the fake's `tree`.

Everything here blocks until the servers have answered, so it takes no time on a test's clock.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import attrs

from coord.wire.records import Stat
from tests.client.seen import Node
from tests.ensemble import frames
from tests.ensemble.probe import ClosedError, Probe, Reply, Session, remove_tree
from tests.ensemble.servers import Ensemble

TIMEOUT_MS = 40_000
"""Of sessions as the servers know them: no test lasts as long."""


HIDDEN = "zookeeper"
"""The servers' own znodes, which the fake has not."""

SPUR_SECONDS = 0.25
"""A reply takes some milliseconds."""

SPURS = 40


class OnlyTheFakeError(Exception):
    """The test asks for what no real server can be told to do, or to show."""


def only_the_fake(what: str) -> NoReturn:
    raise OnlyTheFakeError(f"only the fake has {what}")


class PatientProbe(Probe):
    """A connection to a server that may need a spur: a ZooKeeper server may hold an answer back.

    What is asked while others write may wait in one for a commit that has passed already; then it
    is answered with the next write, whoever makes that.
    """

    def __init__(self, address: tuple[str, int], spur: Callable[[], None]) -> None:
        super().__init__(address, timeout_ms=TIMEOUT_MS)
        self._spur = spur

    def reply_to(self, xid: int) -> Reply:
        self.socket.settimeout(SPUR_SECONDS)
        for _ in range(SPURS):
            with suppress(TimeoutError):
                return super().reply_to(xid)
            self._spur()
        raise TimeoutError("a server does not answer")


class Tree:
    """All znodes, by one connection to each server; none at the beginning."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self._probes = [self._probe(each) for each in ensemble.ids]
        self._owners: dict[int, Probe] = {}
        """By what the tests call them: the sessions of somebody else."""
        self._is_ahead = True
        """Whether something was written here that not every server is known to have."""
        for name in self.names("/"):
            remove_tree(self._hand, f"/{name}")

    def _probe(self, server: int) -> Probe:
        address = self._ensemble.address(server)
        try:
            return PatientProbe(address, self.spur)
        except ClosedError:  # it is looking for its leader
            self._ensemble.wait_until_serving(self._ensemble.ids)
            return PatientProbe(address, self.spur)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            only_the_fake(f"a tree whose {name} can be set")
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> NoReturn:
        only_the_fake(f"a tree with {name}")

    def close(self) -> None:
        for probe in (*self._probes, *self._owners.values()):
            with probe:
                pass

    def level(self, *, is_needed: bool = True) -> None:
        """Return when every server has carried out whatever any of them has acknowledged.

        is_needed: False where only what was written here can be amiss.
        """
        if not (is_needed or self._is_ahead):
            return
        self._is_ahead = False
        asked = [(each, each.send(frames.SYNC, frames.text("/"))) for each in self._probes]
        for probe, xid in asked:
            probe.reply_to(xid)

    def spur(self) -> None:
        """Write something that nobody sees: a session begins and ends."""
        for server in self._ensemble.ids:
            with suppress(ClosedError, OSError), Probe(self._ensemble.address(server)):
                return

    @property
    def _hand(self) -> Probe:
        return self._probes[0]

    @property
    def zxid(self) -> int:
        self.level()
        return max(probe.last_zxid for probe in self._probes)

    @property
    def nodes(self) -> "Tree":
        return self

    def __contains__(self, path: str) -> bool:
        return self._hand.try_exists(path).error == 0

    def __getitem__(self, path: str) -> Node:
        data, found = self._hand.get(path)
        stat = Stat(*attrs.astuple(found))
        names = {probe.session.id: owner for owner, probe in self._owners.items()}
        owner = names.get(stat.ephemeral_owner, stat.ephemeral_owner)
        return Node(data, owner, (stat.cversion + stat.num_children) // 2, stat)

    def names(self, path: str) -> list[str]:
        reply = self._hand.try_children(path)
        if reply.error == frames.NO_NODE:
            return []
        reader = reply.reader()
        return sorted(name for name in reader.vector(reader.text) if name != HIDDEN)

    def items(self) -> list[tuple[str, Node]]:
        paths = ["/"]
        for path in paths:
            paths += [f"{path.rstrip('/')}/{name}" for name in self.names(path)]
        return [(path, self[path]) for path in paths]

    def values(self) -> list[Node]:
        return [node for _, node in self.items()]

    def put(self, path: str, data: bytes | None, owner: int = 0) -> None:
        if self._hand.try_set(path, data).error == frames.NO_NODE:
            flags = frames.EPHEMERAL if owner else frames.PERSISTENT
            self._owner(owner).create(path, data, flags=flags)
        self._is_ahead = True

    def delete(self, path: str) -> None:
        self._hand.delete(path)
        self._is_ahead = True

    def end(self, owner: int) -> None:
        """End the session of somebody else."""
        with self._owners.pop(owner):
            pass
        self.level()

    def end_session(self, session: Session) -> None:
        """End the session of a client, as the servers do when it has been silent for too long."""
        with Probe(self._ensemble.address(1), session=session):
            pass
        self.level()

    def _owner(self, owner: int) -> Probe:
        if not owner:
            return self._hand
        if owner not in self._owners:
            self._owners[owner] = self._probe(self._ensemble.ids[0])
        return self._owners[owner]
