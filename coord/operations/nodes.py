"""Creating, deleting and changing znodes.

The order of the checks is ZooKeeper's, since the first that fails is the answer. A path that is in
the tree is a legal one, so a path's syntax is looked at only where no node was found.

Every function here takes the context, the permission its row demands, the bytes it came in and
where its body begins there; it returns the body of the reply, or raises the error of the reply and
has changed nothing then.
"""

from collections.abc import Mapping
from typing import Final

from librt.strings import read_i32_be, read_i64_be

from coord import jute
from coord.operations import spans
from coord.operations.context import Context
from coord.operations.internal import ReapRequest
from coord.state import record as znode
from coord.state.genesis import SPECIAL_PATHS
from coord.state.paths import ROOT, is_name, is_path
from coord.state.permissions import OPEN_ACL, OPEN_ACL_PREFIXED, fixed_acl, identities_of
from coord.state.reaping import is_reapable
from coord.state.record import ACL_LENGTH_AT, HEAD, KIND_AT, Kind, new_head
from coord.wire.errors import (
    BadArguments,
    BadVersion,
    NoChildrenForEphemerals,
    NodeExists,
    NoNode,
    NotEmpty,
    Unimplemented,
    ZooKeeperError,
)
from coord.wire.numbers import CreateFlag, EventType

TTL_MAX_MS: Final = (1 << 40) - 1

_CREATED: Final = int(EventType.NODE_CREATED)
_DELETED: Final = int(EventType.NODE_DELETED)
_DATA_CHANGED: Final = int(EventType.NODE_DATA_CHANGED)
_CHILDREN_CHANGED: Final = int(EventType.NODE_CHILDREN_CHANGED)

# Plain numbers: an attribute of an enumeration takes as long as a look into a dictionary.
_PERSISTENT: Final = int(Kind.PERSISTENT)
_EPHEMERAL: Final = int(Kind.EPHEMERAL)
_TTL_KIND: Final = int(Kind.TTL)

_HEAD_SIZE: Final = HEAD.size
_OPEN_SIZE: Final = len(OPEN_ACL)
_OPEN_HEADS: Final = [new_head(kind, 0, OPEN_ACL) for kind in Kind]


# What flags mean, for each family of op codes: the kind, and whether a number is appended.
# Flags that are missing here get a `_refusal`.
_PLAIN: Final[Mapping[int, tuple[int, bool]]] = {
    CreateFlag.PERSISTENT: (_PERSISTENT, False),
    CreateFlag.EPHEMERAL: (_EPHEMERAL, False),
    CreateFlag.PERSISTENT_SEQUENTIAL: (_PERSISTENT, True),
    CreateFlag.EPHEMERAL_SEQUENTIAL: (_EPHEMERAL, True),
    CreateFlag.CONTAINER: (_PERSISTENT, False),
}
_CONTAINER: Final[Mapping[int, tuple[int, bool]]] = {
    flag: (int(Kind.CONTAINER), is_sequential) for flag, (_, is_sequential) in _PLAIN.items()
}
_TTL: Final[Mapping[int, tuple[int, bool]]] = {
    CreateFlag.PERSISTENT_WITH_TTL: (_TTL_KIND, False),
    CreateFlag.PERSISTENT_SEQUENTIAL_WITH_TTL: (_TTL_KIND, True),
}


def create(context: Context, needs: int, body: bytes, at: int) -> bytes:
    """Answer with the path."""
    path, _ = _create(context, needs, body, at, _PLAIN)
    return len(path).to_bytes(4, "big") + path


def create2(context: Context, needs: int, body: bytes, at: int) -> bytes:
    """Answer with path and Stat."""
    path, stat = _create(context, needs, body, at, _PLAIN)
    return len(path).to_bytes(4, "big") + path + stat


def create_container(context: Context, needs: int, body: bytes, at: int) -> bytes:
    """Create a container, whatever the flags say of its kind; answer with path and Stat."""
    path, stat = _create(context, needs, body, at, _CONTAINER)
    return len(path).to_bytes(4, "big") + path + stat


def create_ttl(context: Context, needs: int, body: bytes, at: int) -> bytes:
    """Create a node that goes when it is idle and empty; answer with path and Stat."""
    path, stat = _create(context, needs, body, at, _TTL)
    return len(path).to_bytes(4, "big") + path + stat


def _create(
    context: Context, needs: int, body: bytes, at: int, modes: Mapping[int, tuple[int, bool]]
) -> tuple[bytes, bytes]:
    """Read the request, then create the node; return its path and its Stat."""
    data_at: int = at + 4 + read_i32_be(body, at)
    path = body[at + 4 : data_at]
    acl_at = data_at + 4
    length: int = read_i32_be(body, data_at)
    if length > 0:
        acl_at += length
    is_open = body.startswith(OPEN_ACL, acl_at)
    flags_at = acl_at + _OPEN_SIZE if is_open else spans.acl(body, acl_at)
    flags: int = read_i32_be(body, flags_at)
    mode = modes.get(flags)
    if mode is None:
        raise _refusal(flags, context)
    kind, is_sequential = mode
    ttl_ms = _ttl(context, body, flags_at + 4) if kind == _TTL_KIND else 0
    if path.find(b"/") < 0 or path.find(b"\0") >= 0:
        raise BadArguments
    if is_open:
        head = new_head(kind, ttl_ms, OPEN_ACL) if ttl_ms else _OPEN_HEADS[kind]
    else:
        acl = fixed_acl(body[acl_at:flags_at], identities_of(context.identities))
        head = new_head(kind, ttl_ms, acl)
    data = body[data_at:acl_at]
    return _place(context, needs, path, head, data, is_sequential=is_sequential)


def _place(
    context: Context, needs: int, path: bytes, head: bytes, data: bytes, *, is_sequential: bool
) -> tuple[bytes, bytes]:
    """Create the node that a request described."""
    tree = context.tree
    cut = path.rfind(b"/")
    parent_path = path[:cut] or ROOT
    found = tree.parent(parent_path)
    if found is None:
        raise NoNode
    parent, births = found
    parent_acl = OPEN_ACL
    if not parent.startswith(OPEN_ACL_PREFIXED, ACL_LENGTH_AT):
        parent_acl = znode.acl_of(parent)
        context.require(needs, parent_acl)
    if is_sequential:
        path += b"%010d" % (znode.creates_of(parent) + births)
    # With a parent in the tree, cut is 1 for "//name" alone.
    if (cut == 1 or not is_name(path[cut + 1 :])) and path != ROOT:
        raise BadArguments
    if tree.store.get(path) is not None:
        raise NodeExists
    if parent[KIND_AT] == _EPHEMERAL:
        raise NoChildrenForEphemerals
    owner = context.session_id if head[0] == _EPHEMERAL else 0
    stat = tree.create(path, (parent_path, parent), head, data, owner)
    context.changed(_CREATED, path, tree.zxid, head[_HEAD_SIZE:])
    context.changed(_CHILDREN_CHANGED, parent_path, tree.zxid, parent_acl)
    return path, stat


def _refusal(flags: int, context: Context) -> ZooKeeperError:
    """Return what flags deserve that have no meaning for an op code."""
    if flags in _TTL and not context.settings.ttl_nodes:
        return Unimplemented()
    return BadArguments(f"flags {flags}")


def _ttl(context: Context, body: bytes, at: int) -> int:
    """Return the time to live of a createTTL."""
    if not context.settings.ttl_nodes:
        raise Unimplemented
    ttl_ms: int = read_i64_be(body, at)
    if not 0 < ttl_ms <= TTL_MAX_MS:
        raise BadArguments(f"time to live {ttl_ms}")
    return ttl_ms


def delete(context: Context, needs: int, body: bytes, at: int) -> bytes:
    """Delete a node without children; the permission is the parent's to give."""
    version_at: int = at + 4 + read_i32_be(body, at)
    path = body[at + 4 : version_at]
    cut = path.rfind(b"/")
    if cut < 0 or path in SPECIAL_PATHS or b"\0" in path:
        raise BadArguments
    tree = context.tree
    parent_path = path[:cut] or ROOT
    parent = tree.node(parent_path)
    if parent is None:
        raise NoNode
    context.require(needs, znode.acl_of(parent))
    record = tree.store.get(path)
    if record is None:
        raise NoNode
    _demand_version(read_i32_be(body, version_at), znode.version_of(record))
    if znode.children_of(record):
        raise NotEmpty
    _remove(context, path, record, (parent_path, parent))
    return b""


def remove(context: Context, path: bytes, record: bytes) -> None:
    """Delete a node without children because its time has come; nobody is asked."""
    parent_path = path[: path.rfind(b"/")] or ROOT
    parent = context.tree.store.get(parent_path)
    assert parent is not None, parent_path
    _remove(context, path, record, (parent_path, parent))


def _remove(context: Context, path: bytes, record: bytes, parent: tuple[bytes, bytes]) -> None:
    tree = context.tree
    tree.delete(path, record, parent)
    context.changed(_DELETED, path, tree.zxid, znode.acl_of(record))
    context.changed(_CHILDREN_CHANGED, parent[0], tree.zxid, znode.acl_of(parent[1]))


def reap(context: Context, _needs: int, body: bytes, at: int) -> bytes:
    """Delete a container or TTL node that outlived its use, unless it changed meanwhile."""
    request, _ = jute.decode(ReapRequest, body, at)
    record = context.tree.node(request.path)
    seen = (request.mzxid, request.pzxid)
    if record is not None and is_reapable(record, seen, context.tree.time_ms):
        remove(context, request.path, record)
    return b""


def set_data(context: Context, needs: int, body: bytes, at: int) -> bytes:
    """Replace the data; answer with the Stat."""
    data_at: int = at + 4 + read_i32_be(body, at)
    path = body[at + 4 : data_at]
    tree = context.tree
    record = tree.node(path)
    if record is None:
        raise _missing(path)
    acl = OPEN_ACL
    if not record.startswith(OPEN_ACL_PREFIXED, ACL_LENGTH_AT):
        acl = znode.acl_of(record)
        context.require(needs, acl)
    version_at = data_at + 4
    length: int = read_i32_be(body, data_at)
    if length > 0:
        version_at += length
    version: int = read_i32_be(body, version_at)
    if version not in (-1, znode.version_of(record)):
        raise BadVersion
    stat = tree.set_data(path, record, body[data_at:version_at])
    context.changed(_DATA_CHANGED, path, tree.zxid, acl)
    return stat


def set_acl(context: Context, needs: int, body: bytes, at: int) -> bytes:
    """Replace the ACL; answer with the Stat. No watch hears of it."""
    acl_at: int = at + 4 + read_i32_be(body, at)
    path = body[at + 4 : acl_at]
    record = context.tree.node(path)
    if record is None and not is_path(path):
        raise BadArguments
    version_at = spans.acl(body, acl_at)
    acl = fixed_acl(body[acl_at:version_at], identities_of(context.identities))
    if record is None:
        raise NoNode
    context.require(needs, znode.acl_of(record))
    aversion = znode.aversion_of(record)
    _demand_version(read_i32_be(body, version_at), aversion)
    return context.tree.set_acl(path, record, acl)


def check(context: Context, needs: int, body: bytes, at: int) -> bytes:
    """Demand a version, and change nothing."""
    version_at: int = at + 4 + read_i32_be(body, at)
    path = body[at + 4 : version_at]
    record = context.tree.node(path)
    if record is None:
        raise _missing(path)
    context.require(needs, znode.acl_of(record))
    _demand_version(read_i32_be(body, version_at), znode.version_of(record))
    return b""


def _missing(path: bytes) -> BadArguments | NoNode:
    """Return why there is no node of this path."""
    return NoNode() if is_path(path) else BadArguments()


def _demand_version(demanded: int, version: int) -> None:
    if demanded not in (-1, version):
        raise BadVersion
