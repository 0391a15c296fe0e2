"""The state of the fake ensemble: znodes, their owners, and who watches. Knows no connection."""

import copy
from collections.abc import Callable
from typing import Any

import attrs

from coord import jute
from coord.wire.errors import (
    BadVersion,
    NoChildrenForEphemerals,
    NodeExists,
    NoNode,
    NotEmpty,
    NoWatcher,
    RuntimeInconsistency,
    Unimplemented,
    ZooKeeperError,
)
from coord.wire.multi import MultiReply, MultiResult
from coord.wire.numbers import AddWatchMode, EventType, OpCode, WatcherType
from coord.wire.records import Acl, ClientInfo, Stat
from coord.wire.requests import (
    Create2Reply,
    CreateReply,
    ErrorReply,
    ExistsReply,
    GetAclReply,
    GetAllChildrenNumberReply,
    GetChildren2Reply,
    GetDataReply,
    GetEphemeralsReply,
    SetAclReply,
    SetDataReply,
    SyncReply,
    WhoAmIReply,
)


@attrs.frozen
class Answer:
    error: int = 0
    body: bytes = b""


@attrs.define(eq=False)
class Watching:
    """Somebody with watches, as the servers keep them for a connection."""

    data: set[str] = attrs.field(factory=set)
    child: set[str] = attrs.field(factory=set)
    persistent: set[str] = attrs.field(factory=set)
    recursive: set[str] = attrs.field(factory=set)

    def tell(self, event: int, path: str, zxid: int) -> None:
        raise NotImplementedError


@attrs.define
class Node:
    data: bytes | None
    acl: tuple[Acl, ...]
    czxid: int
    mzxid: int
    pzxid: int
    owner: int = 0
    version: int = 0
    aversion: int = 0
    ctime: int = 0
    mtime: int = 0
    creates: int = 0
    children: set[str] = attrs.field(factory=set)

    def stat(self) -> Stat:
        return Stat(
            czxid=self.czxid,
            mzxid=self.mzxid,
            ctime=self.ctime,
            mtime=self.mtime,
            version=self.version,
            cversion=2 * self.creates - len(self.children),
            aversion=self.aversion,
            ephemeral_owner=self.owner,
            data_length=len(self.data or b""),
            num_children=len(self.children),
            pzxid=self.pzxid,
        )


def parent_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


class Tree:
    """All znodes. Writes raise the zxid, failed ones too."""

    def __init__(self) -> None:
        self.zxid = 0
        self.now_ms: Callable[[], int] = lambda: self.zxid * 1000
        """The servers' clock: a second for each write, where a test does not say otherwise."""
        self.nodes: dict[str, Node] = {"/": Node(b"", (), 0, 0, 0)}
        self.watching: list[Watching] = []
        self._events: list[tuple[EventType, str]] = []

    def leave(self, who: Watching) -> None:
        """Forget the watches of a connection, if it came so far as to have any."""
        if who in self.watching:
            self.watching.remove(who)

    def names(self, path: str) -> list[str]:
        return sorted(self.nodes[path].children) if path in self.nodes else []

    def answer(self, who: Watching, session: int, opcode: OpCode, request: Any) -> Answer:
        """Carry out a request, and send the events it causes before it is answered."""
        if opcode in WRITES:
            self.zxid += 1
            try:
                reply = WRITES[opcode](self, session, request)
            finally:
                self._tell()
        elif opcode == OpCode.MULTI:
            self.zxid += 1
            reply = self._multi(session, request)
            self._tell()
        else:
            reply = READS[opcode](self, who, session, request)
        return Answer(body=b"" if reply is None else jute.encode(reply))

    def end(self, session: int) -> None:
        """Delete what a session owns."""
        self.zxid += 1
        for path in [path for path, node in self.nodes.items() if node.owner == session]:
            self.remove(path)
        self._tell()

    def put(self, path: str, data: bytes | None, owner: int = 0) -> None:
        """Create or set a znode by somebody else's hand."""
        self.zxid += 1
        if path in self.nodes:
            node = self.nodes[path]
            self._set(node, data)
            self._events.append((EventType.NODE_DATA_CHANGED, path))
        else:
            self._add(path, Node(data, (), self.zxid, self.zxid, self.zxid, owner))
        self._tell()

    def delete(self, path: str) -> None:
        """Delete a znode by somebody else's hand."""
        self.zxid += 1
        self.remove(path)
        self._tell()

    def node(self, path: str) -> Node:
        try:
            return self.nodes[path]
        except KeyError:
            raise NoNode from None

    def _set(self, node: Node, data: bytes | None) -> None:
        node.data, node.mzxid, node.version = data, self.zxid, node.version + 1
        node.mtime = self.now_ms()

    def _add(self, path: str, node: Node) -> None:
        node.ctime = node.mtime = self.now_ms()
        parent = self.node(parent_of(path))
        parent.children.add(path.rpartition("/")[2])
        parent.creates += 1
        parent.pzxid = self.zxid
        self.nodes[path] = node
        self._events.append((EventType.NODE_CREATED, path))
        self._events.append((EventType.NODE_CHILDREN_CHANGED, parent_of(path)))

    def remove(self, path: str) -> None:
        parent = self.node(parent_of(path))
        parent.children.discard(path.rpartition("/")[2])
        parent.pzxid = self.zxid
        del self.nodes[path]
        self._events.append((EventType.NODE_DELETED, path))
        self._events.append((EventType.NODE_CHILDREN_CHANGED, parent_of(path)))

    def _tell(self) -> None:
        events, self._events = self._events, []
        for event, path in events:
            for who in self.watching.copy():
                if _is_told(who, event, path):
                    who.tell(event, path, self.zxid)

    def _multi(self, session: int, request: Any) -> MultiReply:
        saved = copy.deepcopy(self.nodes)
        results: list[MultiResult] = []
        for operation in request.operations:
            try:
                reply = WRITES[operation.opcode](self, session, operation.request)
            except ZooKeeperError as error:
                self.nodes, self._events = saved, []
                codes = [0] * len(results) + [error.code]
                codes += [RuntimeInconsistency.code] * (len(request.operations) - len(codes))
                return MultiReply(tuple(MultiResult(OpCode.ERROR, ErrorReply(c)) for c in codes))
            results.append(MultiResult(operation.opcode, reply))
        return MultiReply(tuple(results))

    # One function for each write.

    def create(self, session: int, request: Any) -> CreateReply:
        return CreateReply(self._create(session, request))

    def create2(self, session: int, request: Any) -> Create2Reply:
        path = self._create(session, request)
        return Create2Reply(path, self.nodes[path].stat())

    def _create(self, session: int, request: Any) -> str:
        path = request.path
        parent = self.node(parent_of(path))
        if request.flags in (2, 3, 6):
            path = f"{path}{parent.creates:010d}"
        if path in self.nodes:
            raise NodeExists
        if parent.owner:
            raise NoChildrenForEphemerals
        owner = session if request.flags in (1, 3) else 0
        self._add(path, Node(request.data, request.acl, *[self.zxid] * 3, owner))
        return path

    def delete_znode(self, _session: int, request: Any) -> None:
        node = self._at_version(request)
        if node.children:
            raise NotEmpty
        self.remove(request.path)

    def set_data(self, _session: int, request: Any) -> SetDataReply:
        node = self._at_version(request)
        self._set(node, request.data)
        self._events.append((EventType.NODE_DATA_CHANGED, request.path))
        return SetDataReply(node.stat())

    def set_acl(self, _session: int, request: Any) -> SetAclReply:
        node = self.node(request.path)
        if request.version not in (-1, node.aversion):
            raise BadVersion
        node.acl, node.aversion = request.acl, node.aversion + 1
        return SetAclReply(node.stat())

    def check(self, _session: int, request: Any) -> None:
        self._at_version(request)

    def _at_version(self, request: Any) -> Node:
        node = self.node(request.path)
        if request.version not in (-1, node.version):
            raise BadVersion
        return node

    # One function for each read.

    def get_data(self, who: Watching, _session: int, request: Any) -> GetDataReply:
        node = self.node(request.path)
        if request.watch:
            who.data.add(request.path)
        return GetDataReply(node.data, node.stat())

    def exists(self, who: Watching, _session: int, request: Any) -> ExistsReply:
        if request.watch:
            who.data.add(request.path)
        return ExistsReply(self.node(request.path).stat())

    def get_children(self, who: Watching, _session: int, request: Any) -> GetChildren2Reply:
        node = self.node(request.path)
        if request.watch:
            who.child.add(request.path)
        return GetChildren2Reply(tuple(node.children), node.stat())

    def get_acl(self, _who: Watching, _session: int, request: Any) -> GetAclReply:
        node = self.node(request.path)
        return GetAclReply(node.acl, node.stat())

    def count(self, _who: Watching, _session: int, request: Any) -> GetAllChildrenNumberReply:
        below = request.path.rstrip("/") + "/"
        return GetAllChildrenNumberReply(sum(p.startswith(below) and p != "/" for p in self.nodes))

    def get_ephemerals(self, _who: Watching, session: int, request: Any) -> GetEphemeralsReply:
        mine = (path for path, node in self.nodes.items() if node.owner == session)
        return GetEphemeralsReply(tuple(p for p in mine if p.startswith(request.prefix)))

    def add_watch(self, who: Watching, _session: int, request: Any) -> ErrorReply:
        # As servers before 3.9: one mode for a path.
        who.data.discard(request.path)
        if request.mode == AddWatchMode.PERSISTENT_RECURSIVE:
            who.recursive.add(request.path)
        else:
            who.child.discard(request.path)
            who.persistent.add(request.path)
        return ErrorReply(0)

    def remove_watches(self, who: Watching, _session: int, request: Any) -> None:
        tables = {
            WatcherType.DATA: [who.data],
            WatcherType.CHILDREN: [who.child],
            WatcherType.ANY: [who.data, who.child, who.persistent, who.recursive],
        }[WatcherType(request.watcher_type)]
        if not any(request.path in table for table in tables):
            raise NoWatcher
        for table in tables:
            table.discard(request.path)

    def who_am_i(self, who: Any, _session: int, _request: Any) -> WhoAmIReply:
        return WhoAmIReply(tuple(ClientInfo(*each) for each in who.identities))

    def nothing(self, _who: Watching, _session: int, _request: Any) -> None:
        return None

    def sync(self, _who: Watching, _session: int, request: Any) -> SyncReply:
        return SyncReply(request.path)

    def unimplemented(self, _session: int, _request: Any) -> None:
        raise Unimplemented


def _is_told(who: Watching, event: EventType, path: str) -> bool:
    told = path in who.persistent
    if event != EventType.NODE_CHILDREN_CHANGED:
        told = told or any(path == w or path.startswith(w.rstrip("/") + "/") for w in who.recursive)
        if path in who.data:
            who.data.discard(path)
            told = True
    if event in (EventType.NODE_DELETED, EventType.NODE_CHILDREN_CHANGED) and path in who.child:
        who.child.discard(path)
        told = True
    return told


WRITES: dict[OpCode, Callable[..., Any]] = {
    OpCode.CREATE: Tree.create,
    OpCode.CREATE2: Tree.create2,
    OpCode.CREATE_CONTAINER: Tree.create2,
    OpCode.CREATE_TTL: Tree.create2,
    OpCode.DELETE: Tree.delete_znode,
    OpCode.SET_DATA: Tree.set_data,
    OpCode.SET_ACL: Tree.set_acl,
    OpCode.CHECK: Tree.check,
}

READS: dict[OpCode, Callable[..., Any]] = {
    OpCode.GET_DATA: Tree.get_data,
    OpCode.EXISTS: Tree.exists,
    OpCode.GET_CHILDREN: Tree.get_children,
    OpCode.GET_CHILDREN2: Tree.get_children,
    OpCode.GET_ACL: Tree.get_acl,
    OpCode.GET_ALL_CHILDREN_NUMBER: Tree.count,
    OpCode.GET_EPHEMERALS: Tree.get_ephemerals,
    OpCode.ADD_WATCH: Tree.add_watch,
    OpCode.REMOVE_WATCHES: Tree.remove_watches,
    OpCode.WHO_AM_I: Tree.who_am_i,
    OpCode.PING: Tree.nothing,
    OpCode.SYNC: Tree.sync,
}
