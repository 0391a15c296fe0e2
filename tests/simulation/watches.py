"""The one-shot watches of one client, and what it is told of them (rules 25 to 28 of `history`)."""

from typing import TYPE_CHECKING

import attrs

from coord.wire.numbers import EventType
from tests.simulation.invariants import Violation, require
from tests.simulation.model import Model, State

if TYPE_CHECKING:
    from collections import Counter

    from coord.wire.connection import Notification

CREATED, DELETED = int(EventType.NODE_CREATED), int(EventType.NODE_DELETED)
CHANGED, CHILDREN = int(EventType.NODE_DATA_CHANGED), int(EventType.NODE_CHILDREN_CHANGED)
HEARD = {
    "data": frozenset({CREATED, DELETED, CHANGED}),
    "exist": frozenset({CREATED, DELETED, CHANGED}),
    "child": frozenset({DELETED, CHILDREN}),
}
"""Which events a watch hears; "exist" is a data watch on what did not exist."""
CAUGHT_UP = -1


@attrs.define
class Watch:
    """A watch that was set, and is due when its path changes after `since`."""

    since: int
    """The state that the client saw when it set the watch."""


class Watches:
    """What one client waits to be told."""

    def __init__(self, model: Model, counts: "Counter[str]") -> None:
        self._model = model
        self._counts = counts
        self.set: dict[tuple[str, str], Watch] = {}
        """By kind and path."""
        self._caught_up: list[tuple[str, int]] = []

    def add(self, kind: str, path: str, zxid: int) -> None:
        """A read with a watch was answered: it holds from that state on."""
        if kind == "exist" and ("data", path) in self.set:
            kind = "data"  # one table entry at the replica: both are data watches
        if kind == "data":
            self.set.pop(("exist", path), None)
        self.set.setdefault((kind, path), Watch(zxid))

    def told(self, event: "Notification") -> None:
        """A notification has come."""
        path, its_type = event.event.path or "", event.event.event_type
        if event.zxid == CAUGHT_UP:
            self._caught_up.append((path, its_type))
            return
        heard = [
            (kind, watch)
            for (kind, where), watch in self.set.items()
            if where == path and its_type in HEARD[kind]
        ]
        require(bool(heard), f"27: {path} was told ({its_type}), but not watched for that")
        for kind, watch in heard:
            due = self._model.first_change(path, watch.since, HEARD[kind])
            told = (event.zxid, its_type)
            require(due == told, f"26: {path} was told as {told}, not {due}")
            del self.set[kind, path]
            self._counts["premise 26"] += 1
            self._counts["premise 27"] += 1

    def check_told(self, zxid: int) -> None:
        """A reply shows the state after `zxid`: all that happened up to it was told before."""
        for (kind, path), watch in self.set.items():
            due = self._model.first_change(path, watch.since, HEARD[kind])
            if due is not None:
                if due[0] <= zxid:
                    raise Violation(f"25: a reply shows {zxid}, but {path} {due} was not told")
                self._counts["premise 25"] += 1

    # ------------------------------------------------------------------- another connection

    def to_set_again(self) -> dict[str, tuple[str, ...]]:
        """The paths of each kind, for setWatches on a new connection."""
        return {
            kind: tuple(path for its_kind, path in self.set if its_kind == kind) for kind in HEARD
        }

    def lost(self) -> None:
        """The connection is gone: what was caught up on it is over."""
        self._caught_up.clear()

    def set_again(self, since: int, zxid: int) -> None:
        """setWatches, which named `since`, was answered in the state `zxid`."""
        told, self._caught_up = self._caught_up, []
        due: list[tuple[str, int]] = []
        for (kind, path), watch in list(self.set.items()):
            event = _missed(kind, self._model.at(path, zxid), since)
            if event:
                due.append((path, event))
                del self.set[kind, path]
                self._counts["premise 28"] += 1
            else:
                watch.since = zxid
        require(sorted(told) == sorted(due), f"28: setWatches told {told}, not {due}")

    def check_nothing_caught_up(self) -> None:
        """Nothing is caught up but by setWatches."""
        require(not self._caught_up, f"27: nobody asked for {self._caught_up}")


def _missed(kind: str, state: State, since: int) -> int:
    """What setWatches tells of a watch, by ZooKeeper's rules; 0 for nothing."""
    if kind == "exist":
        return CREATED if state.exists else 0
    if not state.exists:
        return DELETED
    if kind == "data":
        return CHANGED if state.mzxid > since else 0
    return CHILDREN if state.pzxid > since else 0
