"""Setting, checking and removing watches."""

from collections.abc import Callable
from typing import Final

from coord import jute
from coord.operations.context import Caller, View
from coord.operations.frames import decoded, path_and_number
from coord.operations.slices import SLICE_PATHS, Slices
from coord.state import record as znode
from coord.state.permissions import may_read
from coord.state.watches import Watch
from coord.wire.errors import MarshallingError, NoWatcher
from coord.wire.numbers import AddWatchMode, EventType, WatcherType
from coord.wire.requests import ErrorReply, SetWatches2Request, SetWatchesRequest

_MODES: Final = {
    AddWatchMode.PERSISTENT: Watch.PERSISTENT,
    AddWatchMode.PERSISTENT_RECURSIVE: Watch.RECURSIVE,
}
_TYPES: Final = frozenset(WatcherType)
_DONE: Final = jute.encode(ErrorReply(0))
_CAUGHT_UP: Final = -1
"""The zxid of an event that setWatches makes up for."""


def add_watch(view: View, caller: Caller, _needs: int, frame: bytes) -> bytes:
    """Set a watch that stays; the path is not looked at."""
    path, mode = path_and_number(frame)
    if mode not in _MODES:
        raise MarshallingError(f"mode {mode}")
    view.watches.add(caller.watcher, path, _MODES[AddWatchMode(mode)])
    return _DONE


def check_watches(view: View, caller: Caller, _needs: int, frame: bytes) -> bytes:
    """Raise NoWatcher unless the caller has such a watch."""
    path, which = _path_and_type(frame)
    if not view.watches.contains(caller.watcher, path, which):
        raise NoWatcher
    return b""


def remove_watches(view: View, caller: Caller, _needs: int, frame: bytes) -> bytes:
    """Remove such watches of the caller."""
    path, which = _path_and_type(frame)
    if not view.watches.remove(caller.watcher, path, which):
        raise NoWatcher
    return b""


def set_watches(view: View, caller: Caller, _needs: int, frame: bytes) -> bytes | Slices:
    """Set the one-shot watches of a lost connection again, telling what they missed."""
    request = decoded(SetWatchesRequest, frame)
    lists = request.data_watches, request.exist_watches, request.child_watches
    return _at_once_if_few(_setting_one_shots(view, caller, request), lists)


def set_watches2(view: View, caller: Caller, _needs: int, frame: bytes) -> bytes | Slices:
    """As setWatches, then the watches that stay, which are not caught up."""
    request = decoded(SetWatches2Request, frame)
    lists = (
        request.data_watches, request.exist_watches, request.child_watches,
        request.persistent_watches, request.recursive_watches,
    )  # fmt: skip
    return _at_once_if_few(_setting_all(view, caller, request), lists)


def _at_once_if_few(slices: Slices, lists: tuple[tuple[str, ...] | None, ...]) -> bytes | Slices:
    """Run through the slices now, unless they are many."""
    if sum(len(paths) for paths in lists if paths is not None) > SLICE_PATHS:
        return slices
    for _ in slices:
        pass
    return b""


def _setting_all(view: View, caller: Caller, request: SetWatches2Request) -> Slices:
    yield from _setting_one_shots(view, caller, request)
    for paths, watch in (
        (request.persistent_watches, Watch.PERSISTENT),
        (request.recursive_watches, Watch.RECURSIVE),
    ):
        for place, path in enumerate(_listed(paths), 1):
            view.watches.add(caller.watcher, path, watch)
            if place % SLICE_PATHS == 0:
                yield
    return []


def _setting_one_shots(view: View, caller: Caller, request: SetWatchesRequest) -> Slices:
    """Set them one by one.

    Each path is looked up when its turn comes: the client is told of what it missed till then, and
    gets no answer of a later state before it was told of all.
    """
    since = request.relative_zxid

    def data_event(record: bytes) -> int | None:
        return EventType.NODE_DATA_CHANGED if znode.mzxid_of(record) > since else None

    def exist_event(_record: bytes) -> int | None:
        return EventType.NODE_CREATED

    def child_event(record: bytes) -> int | None:
        return EventType.NODE_CHILDREN_CHANGED if znode.pzxid_of(record) > since else None

    deleted = EventType.NODE_DELETED
    for paths, watch, event_of, when_missing in (
        (request.data_watches, Watch.DATA, data_event, deleted),
        (request.exist_watches, Watch.DATA, exist_event, None),
        (request.child_watches, Watch.CHILDREN, child_event, deleted),
    ):
        for place, path in enumerate(_listed(paths), 1):
            _catch_up(view, caller, path, watch, event_of, when_missing)
            if place % SLICE_PATHS == 0:
                yield
    return []


def _catch_up(
    view: View,
    caller: Caller,
    path: bytes,
    watch: Watch,
    event_of: Callable[[bytes], int | None],
    when_missing: int | None,
) -> None:
    """Tell of what was missed, or set the watch where nothing was."""
    record = view.tree.node(path)
    event = when_missing if record is None else event_of(record)
    if event is None:
        view.watches.add(caller.watcher, path, watch)
    # An event about a node that the caller may not read is dropped, as at any delivery.
    elif record is None or may_read(znode.acl_of(record), caller.identities):
        caller.deliver(event, path, _CAUGHT_UP)


def _listed(paths: tuple[str, ...] | None) -> list[bytes]:
    if paths is None:
        raise MarshallingError("null list of paths")
    return [path.encode() for path in paths]


def _path_and_type(frame: bytes) -> tuple[bytes, WatcherType]:
    path, which = path_and_number(frame)
    if which not in _TYPES:
        raise MarshallingError(f"watcher type {which}")
    return path, WatcherType(which)
