"""The tree as one would write it in an afternoon: it follows the log, and forgets no past state.

Every answer of every replica is compared with it. It knows nothing of the code under test but the
format of an entry.
"""

from collections.abc import Callable
from struct import Struct

import attrs

from coord.wire.multi import MultiReply, MultiResult
from coord.wire.numbers import CreateFlag, EventType, OpCode
from coord.wire.requests import ErrorReply

NO_NODE, BAD_VERSION, NODE_EXISTS, NOT_EMPTY = -101, -103, -110, -111
NO_CHILDREN_FOR_EPHEMERALS = -108
RUNTIME_INCONSISTENCY = -2
EPHEMERAL_FLAGS = (CreateFlag.EPHEMERAL, CreateFlag.EPHEMERAL_SEQUENTIAL)
SEQUENTIAL_FLAGS = (CreateFlag.PERSISTENT_SEQUENTIAL, CreateFlag.EPHEMERAL_SEQUENTIAL)
UNCOUNTED = {"/": 1, "/zookeeper": 2}
"""Children of the founding, which count as never created."""

_STAT = Struct(">qqqqiiiqiiq")


class ModelError(Exception):
    """The expected failure of an operation."""

    def __init__(self, code: int) -> None:
        self.code = code


@attrs.define
class Znode:
    data: bytes
    czxid: int
    ctime: int
    mzxid: int
    mtime: int
    pzxid: int
    owner: int = 0
    is_container: bool = False
    version: int = 0
    creates: int = 0
    deletes: int = 0
    children: frozenset[str] = frozenset()


@attrs.frozen
class State:
    """What a path was from some zxid on."""

    zxid: int
    data: bytes
    stat: bytes
    """68 bytes, as clients get it; b"": there is no such znode."""
    children: frozenset[str]
    mzxid: int
    pzxid: int

    @property
    def exists(self) -> bool:
        return bool(self.stat)


NEVER_USED_MS = 300_000  # so long a container waits for its first child
NOTHING = State(0, b"", b"", frozenset(), 0, 0)


class Model:
    """The tree after the last entry applied anywhere, and at every zxid before."""

    def __init__(self) -> None:
        self.zxid = 0
        self.time_ms = 0
        self.nodes: dict[str, Znode] = {}
        self.pasts: dict[str, list[State]] = {}
        self.changes: dict[str, list[tuple[int, int]]] = {}
        """By path: (zxid, event) of every trigger of watches."""
        self._dirty: dict[str, None] = {}
        self._events: list[tuple[str, int]] = []
        self._undo: list[tuple[str, Znode | None]] | None = None
        self._appliers: dict[OpCode, Callable[..., bytes]] = {
            OpCode.CREATE: self._create,
            OpCode.CREATE2: self._create,
            OpCode.CREATE_CONTAINER: self._create,
            OpCode.DELETE: self._delete,
            OpCode.SET_DATA: self._set_data,
            OpCode.CHECK: self._check,
            OpCode.MULTI: self._multi,
        }

    def found(self) -> None:
        """The first entry makes these."""
        for path in ("/", "/zookeeper"):
            self.nodes[path] = Znode(b"", 0, 0, 0, 0, 0)
            self._dirty[path] = None
        self.nodes["/"].children = frozenset({"zookeeper"})
        self.nodes["/zookeeper"].children = frozenset({"quota", "config"})
        self._settle()

    def at(self, path: str, zxid: int) -> State:
        """What a path was after an operation."""
        for state in reversed(self.pasts.get(path, ())):
            if state.zxid <= zxid:
                return state
        return NOTHING

    def first_change(self, path: str, after: int, events: frozenset[int]) -> tuple[int, int] | None:
        """The first trigger of such watches after a zxid, if there was one: (zxid, event)."""
        found = None
        for zxid, event in reversed(self.changes.get(path, ())):
            if zxid <= after:
                break
            if event in events:
                found = (zxid, event)
        return found

    # ------------------------------------------------------------------------------ applying

    def apply(self, opcode: OpCode, record: object, session: int) -> tuple[int, bytes]:
        """Do one write under the next zxid; return (error, body of the reply)."""
        try:
            outcome = (0, self._appliers[opcode](record, session, opcode))
        except ModelError as error:
            outcome = (error.code, b"")
        self._settle()
        return outcome

    def end_session(self, session: int) -> None:
        """Delete what a session owns."""
        for path in sorted(path for path, node in self.nodes.items() if node.owner == session):
            self._remove(path)
        self._settle()

    def reap(self, path: str, mzxid: int, pzxid: int) -> None:
        """Delete a container that was seen without children, if it is as it was seen."""
        node = self.nodes.get(path)
        if node is None or not node.is_container or node.children:
            return
        if not node.creates and self.time_ms <= node.mtime + NEVER_USED_MS:
            return  # it waits for its first child
        if (node.mzxid, node.pzxid) == (mzxid, pzxid):
            self._remove(path)
            self._settle()

    def _settle(self) -> None:
        """What the operation changed becomes the past of later ones."""
        for path in self._dirty:
            self.pasts.setdefault(path, []).append(self._state(path))
        for path, event in self._events:
            self.changes.setdefault(path, []).append((self.zxid, event))
        self._dirty.clear()
        self._events.clear()

    def _state(self, path: str) -> State:
        node = self.nodes.get(path)
        if node is None:
            return State(self.zxid, b"", b"", frozenset(), 0, 0)
        stat = self._stat(path, node)
        return State(self.zxid, node.data, stat, node.children, node.mzxid, node.pzxid)

    def _stat(self, path: str, node: Znode) -> bytes:
        cversion = node.creates + node.deletes - UNCOUNTED.get(path, 0)
        return _STAT.pack(
            node.czxid, node.mzxid, node.ctime, node.mtime, node.version, cversion, 0,
            node.owner, len(node.data), len(node.children), node.pzxid,
        )  # fmt: skip

    def _change(self, path: str) -> Znode:
        """The node, to be changed now."""
        node = self.nodes[path]
        if self._undo is not None:
            self._undo.append((path, attrs.evolve(node)))
        self._dirty[path] = None
        return node

    def _create(self, record, session: int, opcode: OpCode) -> bytes:  # type: ignore[no-untyped-def]
        path, flags = record.path, record.flags
        parent_path, _, name = path.rpartition("/")
        parent_path = parent_path or "/"
        parent = self.nodes.get(parent_path)
        if parent is None:
            raise ModelError(NO_NODE)
        if flags in SEQUENTIAL_FLAGS:
            number = f"{parent.creates:010d}"
            path, name = path + number, name + number
        if path in self.nodes:
            raise ModelError(NODE_EXISTS)
        if parent.owner:
            raise ModelError(NO_CHILDREN_FOR_EPHEMERALS)
        parent = self._change(parent_path)
        if self._undo is not None:
            self._undo.append((path, None))
        zxid, now = self.zxid, self.time_ms
        node = Znode(record.data, zxid, now, zxid, now, zxid)
        node.owner = session if flags in EPHEMERAL_FLAGS else 0
        node.is_container = opcode is OpCode.CREATE_CONTAINER
        self.nodes[path] = node
        self._dirty[path] = None
        parent.creates += 1
        parent.pzxid = zxid
        parent.children |= {name}
        self._events += (
            (path, EventType.NODE_CREATED),
            (parent_path, EventType.NODE_CHILDREN_CHANGED),
        )
        reply = len(path).to_bytes(4) + path.encode()
        return reply if opcode is OpCode.CREATE else reply + self._stat(path, node)

    def _delete(self, record, _session: int, _opcode: OpCode) -> bytes:  # type: ignore[no-untyped-def]
        node = self.nodes.get(record.path)
        if node is None:
            raise ModelError(NO_NODE)
        if record.version not in (-1, node.version):
            raise ModelError(BAD_VERSION)
        if node.children:
            raise ModelError(NOT_EMPTY)
        self._remove(record.path)
        return b""

    def _remove(self, path: str) -> None:
        self._change(path)
        del self.nodes[path]
        parent_path, _, name = path.rpartition("/")
        parent_path = parent_path or "/"
        parent = self._change(parent_path)
        parent.deletes += 1
        parent.pzxid = self.zxid
        parent.children -= {name}
        self._events += (
            (path, EventType.NODE_DELETED),
            (parent_path, EventType.NODE_CHILDREN_CHANGED),
        )

    def _set_data(self, record, _session: int, _opcode: OpCode) -> bytes:  # type: ignore[no-untyped-def]
        self._check(record, 0, OpCode.CHECK)
        node = self._change(record.path)
        node.data, node.mzxid, node.mtime = record.data, self.zxid, self.time_ms
        node.version += 1
        self._events.append((record.path, EventType.NODE_DATA_CHANGED))
        return self._stat(record.path, node)

    def _check(self, record, _session: int, _opcode: OpCode) -> bytes:  # type: ignore[no-untyped-def]
        node = self.nodes.get(record.path)
        if node is None:
            raise ModelError(NO_NODE)
        if record.version not in (-1, node.version):
            raise ModelError(BAD_VERSION)
        return b""

    def _multi(self, record, session: int, _opcode: OpCode) -> bytes:  # type: ignore[no-untyped-def]
        self._undo = undo = []
        done: list[tuple[OpCode, bytes]] = []
        code = 0
        for part in record.operations:
            try:
                apply = self._appliers[part.opcode]
                done.append((part.opcode, apply(part.request, session, part.opcode)))
            except ModelError as error:
                code = error.code
                break
        self._undo = None
        if not code:
            return _multi_reply(done)
        for path, before in reversed(undo):
            if before is None:
                del self.nodes[path]
            else:
                self.nodes[path] = before
        self._dirty.clear()
        self._events.clear()
        left = len(record.operations) - len(done) - 1
        codes = [0] * len(done) + [code] + [RUNTIME_INCONSISTENCY] * left
        results = tuple(MultiResult(OpCode.ERROR, ErrorReply(each)) for each in codes)
        return MultiReply(results).to_jute()


_HEADER = Struct(">iBi")


def _multi_reply(done: list[tuple[OpCode, bytes]]) -> bytes:
    parts = []
    for opcode, body in done:
        bears = OpCode.CREATE2 if opcode is OpCode.CREATE_CONTAINER else opcode
        parts.append(_HEADER.pack(bears, 0, 0) + body)
    return b"".join([*parts, _HEADER.pack(-1, 1, -1)])
