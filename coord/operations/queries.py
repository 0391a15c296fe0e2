"""Reading znodes: exists, getData, the children, the counts, the ephemerals.

Every function here takes the view, who calls, the permission its row demands and the whole frame
(xid, op code, body from offset 8); it returns the body of the reply or raises its error.

What a read answers lies in the record as it goes out, so a read is a few slices. Reads look a path
up as it comes: what is no legal path is just not there, but for the empty one, which is the root.
"""

from struct import Struct
from typing import Final

from coord.operations.context import Caller, View, require
from coord.operations.frames import BODY_AT, PATH_AT, path_and_watch, path_of, text_of
from coord.state import record as znode
from coord.state.paths import ROOT
from coord.state.permissions import OPEN_ACL_PREFIXED, OPEN_BODY_AT
from coord.state.record import ACL_LENGTH_AT, STAT_SIZE
from coord.state.watches import Watch
from coord.wire.errors import BadArguments, MarshallingError, NoNode

_DATA: Final = int(Watch.DATA)
_CHILDREN: Final = int(Watch.CHILDREN)

_int = Struct(">i").unpack_from
_pack_int = Struct(">i").pack
_LENGTHS: Final = [_pack_int(length) for length in range(256)]
"""The lengths of most names, packed."""


def exists(view: View, caller: Caller, needs: int, frame: bytes) -> bytes:
    """Answer with the Stat; a watch stays even where there is no node yet."""
    path, watch = path_and_watch(frame)
    record = _node(view, path)
    if record is None:
        if b"\0" in path:
            raise BadArguments
        if watch:
            view.watches.add(caller.watcher, path, _DATA)
        raise NoNode
    if not record.startswith(OPEN_ACL_PREFIXED, ACL_LENGTH_AT):
        require(needs, znode.acl_of(record), caller)
    if watch:
        view.watches.add(caller.watcher, path, _DATA)
    return record[-STAT_SIZE:]


def get_data(view: View, caller: Caller, needs: int, frame: bytes) -> bytes:
    """Answer with data and Stat; the hottest of all reads, so its frame is read in place."""
    end = PATH_AT + (_int(frame, BODY_AT)[0] if len(frame) > PATH_AT else -1)
    if not PATH_AT <= end < len(frame):
        raise MarshallingError("path or flag")
    path = frame[PATH_AT:end]
    record = view.store.get(path) if path.startswith(ROOT) else _node(view, path)
    if record is None:
        raise NoNode
    if record.startswith(OPEN_ACL_PREFIXED, ACL_LENGTH_AT):
        body = record[OPEN_BODY_AT:]
    else:
        require(needs, znode.acl_of(record), caller)
        body = znode.body_of(record)
    if frame[end]:
        view.watches.add(caller.watcher, path, _DATA)
    return body


def get_children(view: View, caller: Caller, needs: int, frame: bytes) -> bytes:
    """Answer with the names of the children."""
    return _children(view, caller, needs, frame)[0]


def get_children2(view: View, caller: Caller, needs: int, frame: bytes) -> bytes:
    """Answer with the names of the children and the parent's Stat."""
    return b"".join(_children(view, caller, needs, frame))


def get_all_children_number(view: View, caller: Caller, needs: int, frame: bytes) -> bytes:
    """Answer with the number of descendants."""
    path = path_of(frame)
    record = _readable(view, caller, needs, path)
    return _pack_int(view.tree.descendants(path or ROOT, record))


def get_ephemerals(view: View, caller: Caller, _needs: int, frame: bytes) -> bytes:
    """Answer with the caller's own ephemeral nodes; the prefix is one of text, not of parts."""
    prefix = text_of(frame) or b""
    paths = view.sessions.ephemerals(caller.session_id)
    if prefix.strip() not in (b"", ROOT):
        paths = [path for path in paths if path.startswith(prefix)]
    return _pack_int(len(paths)) + b"".join([_pack_int(len(path)) + path for path in paths])


def _children(view: View, caller: Caller, needs: int, frame: bytes) -> tuple[bytes, bytes]:
    """Return the names as they go out, and the Stat."""
    path, watch = path_and_watch(frame)
    record = _readable(view, caller, needs, path)
    names = view.store.children(path or ROOT)
    packed = [
        (_LENGTHS[len(name)] if len(name) < len(_LENGTHS) else _pack_int(len(name))) + name
        for name in names
    ]
    if watch:
        view.watches.add(caller.watcher, path, _CHILDREN)
    return _pack_int(len(names)) + b"".join(packed), record[-STAT_SIZE:]


def _readable(view: View, caller: Caller, needs: int, path: bytes) -> bytes:
    """Return the record of a node that the caller may read, or raise."""
    record = _node(view, path)
    if record is None:
        raise NoNode
    require(needs, znode.acl_of(record), caller)
    return record


def _node(view: View, path: bytes) -> bytes | None:
    """Return the record of a node, or None; the path may be anything a client sends."""
    if path.startswith(ROOT):
        return view.store.get(path)
    return None if path else view.store.get(ROOT)
