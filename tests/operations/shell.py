"""A small language for cases: `create /a x; set /a y 0; get /a` gives what the last one answers.

    create[:FLAGS] PATH [DATA] [ACL]      create2, container, ttl[:FLAGS] (then MS before DATA)
    set PATH DATA [VERSION]               delete PATH [VERSION]       setacl PATH ACL [VERSION]
    get[w] PATH   exists[w] PATH   ls[w] PATH   acl PATH   stat PATH FIELD,FIELD   count PATH
    eph PREFIX    auth SCHEME CREDENTIAL  whoami      addwatch PATH MODE
    checkwatch PATH TYPE   unwatch PATH TYPE          events (of this connection, taken)
    close         sync PATH               wait MS (time passes)       reap (what may go)

A number and a colon first choose the connection (1 unless said; made when first used). DATA `null`
is null, `""` empty. An ACL is `scheme:id:perms` with commas between; `""` is none. Errors are
answered as their codes.
"""

from coord.wire.errors import ZooKeeperError
from coord.wire.opcodes import OpCode
from coord.wire.records import Acl, Id
from coord.wire.requests import (
    AddWatchRequest,
    AuthRequest,
    CheckWatchesRequest,
    CloseSessionRequest,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    ExistsRequest,
    GetAclRequest,
    GetAllChildrenNumberRequest,
    GetChildrenRequest,
    GetDataRequest,
    GetEphemeralsRequest,
    RemoveWatchesRequest,
    SetAclRequest,
    SetDataRequest,
    SyncRequest,
    WhoAmIRequest,
)
from tests.operations.server import SETTINGS, TIME_MS, Connection, Server

OPEN = (Acl(31, Id("world", "anyone")),)
EVENTS = {1: "created", 2: "deleted", 3: "changed", 4: "children"}


class Shell:
    def __init__(self, settings=SETTINGS) -> None:
        self.server = Server(settings)
        self.connections: dict[int, Connection] = {}
        self.connection(1)

    def connection(self, number: int) -> Connection:
        if number not in self.connections:
            self.connections[number] = self.server.connect()
        return self.connections[number]

    def run(self, script: str) -> str:
        answer = ""
        for command in script.split(";"):
            answer = self.one(command.strip())
        return answer

    def one(self, command: str) -> str:
        number, colon, rest = command.partition(": ")
        connection = self.connection(int(number) if colon else 1)
        verb, *words = (rest if colon else command).split()
        verb, _, flags = verb.partition(":")
        try:
            answer = getattr(self, "do_" + verb)(connection, int(flags or 0), *words)
        except ZooKeeperError as error:
            return str(error.code)
        return "" if answer is None else str(answer)

    def one_path(self, path: str) -> str:
        """Create a node whose path may hold blanks; "ok", or an error's code."""
        try:
            self.do_create(self.connection(1), 0, path)
        except ZooKeeperError as error:
            return str(error.code)
        return "ok"

    # Writes.

    def do_create(self, c, flags, path, data="x", acl="world:anyone:31"):
        return c.ask(OpCode.CREATE, CreateRequest(path, bytes_of(data), acl_of(acl), flags)).path

    def do_create2(self, c, flags, path, data="x", acl="world:anyone:31"):
        reply = c.ask(OpCode.CREATE2, CreateRequest(path, bytes_of(data), acl_of(acl), flags))
        return f"{reply.path} {reply.stat.czxid}"

    def do_container(self, c, flags, path):
        return c.ask(OpCode.CREATE_CONTAINER, CreateRequest(path, b"", OPEN, flags)).path

    def do_ttl(self, c, flags, path, ttl_ms, data="x"):
        request = CreateTtlRequest(path, bytes_of(data), OPEN, flags, int(ttl_ms))
        return c.ask(OpCode.CREATE_TTL, request).path

    def do_set(self, c, _, path, data, version="-1"):
        request = SetDataRequest(path, bytes_of(data), int(version))
        return c.ask(OpCode.SET_DATA, request).stat.version

    def do_delete(self, c, _, path, version="-1"):
        c.ask(OpCode.DELETE, DeleteRequest(path, int(version)))

    def do_setacl(self, c, _, path, acl, version="-1"):
        request = SetAclRequest(path, acl_of(acl), int(version))
        return c.ask(OpCode.SET_ACL, request).stat.aversion

    def do_close(self, c, _):
        c.ask(OpCode.CLOSE_SESSION, CloseSessionRequest())

    # Reads.

    def do_get(self, c, _, path, *, watch=False):
        return text_of(c.ask(OpCode.GET_DATA, GetDataRequest(path, watch)).data)

    def do_getw(self, c, _, path):
        return self.do_get(c, _, path, watch=True)

    def do_exists(self, c, _, path, *, watch=False):
        return c.ask(OpCode.EXISTS, ExistsRequest(path, watch)).stat.version

    def do_existsw(self, c, _, path):
        return self.do_exists(c, _, path, watch=True)

    def do_ls(self, c, _, path, *, watch=False):
        children = c.ask(OpCode.GET_CHILDREN, GetChildrenRequest(path, watch)).children
        two = c.ask(OpCode.GET_CHILDREN2, GetChildrenRequest(path, False))
        assert two.children == children
        assert two.stat.num_children == len(children)
        return " ".join(sorted(children))

    def do_lsw(self, c, _, path):
        return self.do_ls(c, _, path, watch=True)

    def do_stat(self, c, _, path, fields):
        stat = c.ask(OpCode.EXISTS, ExistsRequest(path, False)).stat
        assert c.ask(OpCode.GET_DATA, GetDataRequest(path, False)).stat == stat
        values = [getattr(stat, field) for field in fields.split(",")]
        return " ".join(str(v - TIME_MS if v >= TIME_MS else v) for v in values)

    def do_count(self, c, _, path):
        request = GetAllChildrenNumberRequest(path)
        return c.ask(OpCode.GET_ALL_CHILDREN_NUMBER, request).total

    def do_eph(self, c, _, prefix="/"):
        reply = c.ask(OpCode.GET_EPHEMERALS, GetEphemeralsRequest(prefix))
        return " ".join(reply.paths)

    def do_acl(self, c, _, path):
        acl = c.ask(OpCode.GET_ACL, GetAclRequest(path)).acl
        return ",".join(f"{each.id.scheme}:{each.id.id}:{each.perms}" for each in acl)

    def do_sync(self, c, _, path):
        return c.ask(OpCode.SYNC, SyncRequest(path)).path

    def do_auth(self, c, _, scheme, credential):
        c.ask(OpCode.AUTH, AuthRequest(0, scheme, credential.encode()))

    def do_whoami(self, c, _):
        clients = c.ask(OpCode.WHO_AM_I, WhoAmIRequest()).clients
        return " ".join(f"{each.auth_scheme}:{each.user}" for each in clients)

    # Watches.

    def do_addwatch(self, c, _, path, mode):
        return c.ask(OpCode.ADD_WATCH, AddWatchRequest(path, int(mode))).code

    def do_checkwatch(self, c, _, path, which):
        c.ask(OpCode.CHECK_WATCHES, CheckWatchesRequest(path, int(which)))
        return "yes"

    def do_unwatch(self, c, _, path, which):
        c.ask(OpCode.REMOVE_WATCHES, RemoveWatchesRequest(path, int(which)))
        return "gone"

    def do_events(self, c, _):
        return " ".join(f"{EVENTS[event]} {path}" for event, path in c.take_events())

    # Time.

    def do_wait(self, _c, _, ms):
        self.server.time_ms += int(ms)

    def do_reap(self, _c, _):
        found = self.server.machine.reapable(self.server.time_ms, 100)
        for path, mzxid, pzxid in found:
            self.server.reap(path, mzxid, pzxid)
        return " ".join(path.decode() for path, _, _ in found)


def bytes_of(word: str) -> bytes | None:
    return None if word == "null" else word.strip('"').encode()


def text_of(data: bytes | None) -> str:
    return "null" if data is None else data.decode() or '""'


def acl_of(word: str) -> tuple[Acl, ...]:
    entries = []
    for entry in word.strip('"').split(",") if word != '""' else ():
        who, _, perms = entry.rpartition(":")
        scheme, _, name = who.partition(":")
        entries.append(Acl(int(perms), Id(scheme, None if name == "null" else name)))
    return tuple(entries)
