"""Reading znodes: exists, getData, the children, the counts, the ephemerals.

Every function here takes the view, who calls, the permission its row demands and the whole frame
(xid, op code, body from offset 8); it returns the body of the reply or raises its error.

What a read answers lies in the record as it goes out, so a read is a few cuts. Reads look a path
up as it comes: what is no legal path is just not there, but for the empty one, which is the root.
"""

from typing import Final

from librt.strings import BytesWriter, read_i32_be, write_i32_be

from coord.operations.context import Caller, View, require
from coord.operations.frames import BODY_AT, PATH_AT, path_and_watch, path_of, text_of
from coord.operations.slices import SLICE_NAMES, Slices, check_size
from coord.state import record as znode
from coord.state.paths import ROOT
from coord.state.permissions import OPEN_ACL_PREFIXED, OPEN_BODY_AT
from coord.state.record import ACL_LENGTH_AT, STAT_SIZE
from coord.state.sessions import path_in
from coord.state.store import Listing
from coord.state.watches import Watch
from coord.wire.errors import BadArguments, MarshallingError, NoNode

_DATA: Final = int(Watch.DATA)
_CHILDREN: Final = int(Watch.CHILDREN)


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
    end = PATH_AT + (read_i32_be(frame, BODY_AT) if len(frame) > PATH_AT else -1)
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


def get_children(view: View, caller: Caller, needs: int, frame: bytes) -> bytes | Slices:
    """Answer with the names of the children."""
    path, watch = path_and_watch(frame)
    record = _readable(view, caller, needs, path)
    if znode.children_of(record) > SLICE_NAMES:
        return _sliced_children(view, caller, path, watch, b"")
    return _children(view, caller, path, watch)


def get_children2(view: View, caller: Caller, needs: int, frame: bytes) -> bytes | Slices:
    """Answer with the names of the children and the parent's Stat."""
    path, watch = path_and_watch(frame)
    record = _readable(view, caller, needs, path)
    stat = record[-STAT_SIZE:]
    if znode.children_of(record) > SLICE_NAMES:
        return _sliced_children(view, caller, path, watch, stat)
    return _children(view, caller, path, watch) + stat


def get_all_children_number(view: View, caller: Caller, needs: int, frame: bytes) -> bytes:
    """Answer with the number of descendants."""
    path = path_of(frame)
    record = _readable(view, caller, needs, path)
    return view.tree.descendants(path or ROOT, record).to_bytes(4, "big")


def get_ephemerals(view: View, caller: Caller, _needs: int, frame: bytes) -> bytes | Slices:
    """Answer with the caller's own ephemeral nodes; the prefix is one of text, not of parts."""
    prefix = text_of(frame) or b""
    if prefix.strip() in (b"", ROOT):
        prefix = b""
    listing = view.sessions.ephemeral_listing(caller.session_id)
    paths = listing.take(SLICE_NAMES)
    listing.close()
    if len(paths) == SLICE_NAMES:
        return _sliced_ephemerals(view, caller, prefix)
    paths = sorted(_paths_in(paths, prefix))
    return len(paths).to_bytes(4, "big") + _packed(paths)


def _children(view: View, caller: Caller, path: bytes, watch: int) -> bytes:
    """Return the names as they go out."""
    names = view.store.children(path or ROOT)
    if watch:
        view.watches.add(caller.watcher, path, _CHILDREN)
    return len(names).to_bytes(4, "big") + _packed(names)


def _sliced_children(view: View, caller: Caller, path: bytes, watch: int, stat: bytes) -> Slices:
    """Return the names of very many children, and what follows them."""
    if watch:
        view.watches.add(caller.watcher, path, _CHILDREN)
    listing = view.store.listing(path or ROOT)
    return (yield from _sliced(listing, stat))


def _sliced_ephemerals(view: View, caller: Caller, prefix: bytes) -> Slices:
    """Return the paths of very many ephemeral nodes, in any order."""
    listing = view.sessions.ephemeral_listing(caller.session_id)
    return (yield from _sliced(listing, b"", prefix))


def _sliced(listing: Listing, end: bytes, prefix: bytes | None = None) -> Slices:
    """Return a very long listing, slice by slice, and the end of the body.

    With a prefix the listing is one of ephemeral nodes: return the paths that begin so.
    """
    parts, count, size = [b""], 0, 0
    try:
        while rows := listing.take(SLICE_NAMES):
            names = rows if prefix is None else _paths_in(rows, prefix)
            parts.append(_packed(names))
            count += len(names)
            size += len(parts[-1])
            check_size(size)
            yield
    finally:
        listing.close()
    parts[0] = count.to_bytes(4, "big")
    parts.append(end)
    return parts


def _paths_in(rows: list[bytes], prefix: bytes) -> list[bytes]:
    return [path for path in map(path_in, rows) if path.startswith(prefix)]


def _packed(texts: list[bytes]) -> bytes:
    """Return texts as they go out, each behind its length."""
    packed = BytesWriter()
    for text in texts:
        write_i32_be(packed, len(text))
        packed.write(text)
    return packed.getvalue()


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
