"""multi is all or nothing; multiRead is each by itself."""

import pytest

from coord.operations.multi import LOOKED_AT_MAX, REPLY_BYTES_MAX
from coord.state.tree import recompute_digest
from coord.wire.errors import MarshallingError
from coord.wire.multi import MultiOperation, MultiReply, MultiRequest
from coord.wire.numbers import OpCode
from coord.wire.requests import (
    CheckRequest,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    ErrorReply,
    GetChildrenRequest,
    GetDataRequest,
    SetDataRequest,
)
from tests.operations.shell import OPEN, Shell


def create(path: str, flags: int = 0, opcode: OpCode = OpCode.CREATE) -> MultiOperation:
    return MultiOperation(opcode, CreateRequest(path, b"x", OPEN, flags))


def delete(path: str, version: int = -1) -> MultiOperation:
    return MultiOperation(OpCode.DELETE, DeleteRequest(path, version))


def set_data(path: str, data: bytes, version: int = -1) -> MultiOperation:
    return MultiOperation(OpCode.SET_DATA, SetDataRequest(path, data, version))


def check(path: str, version: int = -1) -> MultiOperation:
    return MultiOperation(OpCode.CHECK, CheckRequest(path, version))


def multi(shell: Shell, *operations: MultiOperation, opcode: OpCode = OpCode.MULTI) -> MultiReply:
    return shell.connection(1).ask(opcode, MultiRequest(operations))


def codes(reply: MultiReply) -> list[int]:
    assert all(each.opcode is OpCode.ERROR for each in reply.results)
    return [each.reply.code for each in reply.results]


def test_results_come_in_order_each_with_its_own_type():
    shell = Shell()
    ttl = MultiOperation(OpCode.CREATE_TTL, CreateTtlRequest("/t", b"x", OPEN, 5, 1000))
    reply = multi(
        shell,
        create("/a"),
        create("/b", opcode=OpCode.CREATE2),
        create("/c", 4, opcode=OpCode.CREATE_CONTAINER),
        ttl,
        set_data("/a", b"hello"),
        check("/a", 1),
        delete("/b"),
    )
    types = [each.opcode for each in reply.results]
    created2 = [OpCode.CREATE2] * 3
    assert types == [OpCode.CREATE, *created2, OpCode.SET_DATA, OpCode.CHECK, OpCode.DELETE]
    assert reply.results[0].reply.path == "/a"
    assert reply.results[1].reply.stat.czxid == 2
    assert reply.results[4].reply.stat.data_length == 5


def test_all_parts_share_one_zxid():
    shell = Shell()
    multi(shell, create("/a"), create("/b"))
    assert shell.run("stat /a czxid") == shell.run("stat /b czxid") == "2"
    assert shell.server.machine.zxid == 2


def test_later_parts_see_earlier_ones():
    shell = Shell()
    reply = multi(shell, create("/a"), create("/a/b"), delete("/a/b"), delete("/a"))
    assert len(reply.results) == 4
    assert shell.run("exists /a") == "-101"


def test_a_failure_undoes_everything_and_names_the_culprit():
    shell = Shell()
    shell.run("create /old x")
    reply = multi(
        shell,
        create("/a"),
        set_data("/old", b"y"),
        delete("/old"),
        delete("/missing"),
        create("/b"),
        create("/c"),
    )
    assert codes(reply) == [0, 0, 0, -101, -2, -2]
    assert shell.run("ls /") == "old zookeeper"
    assert shell.run("get /old") == "x"
    assert shell.run("stat / cversion,pzxid,num_children") == "0 2 2"


def test_a_failed_multi_is_no_error_and_takes_a_zxid():
    shell = Shell()
    multi(shell, delete("/missing"))
    assert shell.server.machine.zxid == 2


def test_an_empty_multi_takes_a_zxid_and_answers_nothing():
    shell = Shell()
    assert multi(shell).results == ()
    assert shell.server.machine.zxid == 2


def test_a_failed_multi_gives_sequence_numbers_back():
    shell = Shell()
    assert codes(multi(shell, create("/s-", 2), create("/s-", 2), check("/no"))) == [0, 0, -101]
    paths = [each.reply.path for each in multi(shell, create("/s-", 2), create("/s-", 2)).results]
    assert paths == ["/s-0000000000", "/s-0000000001"]


def test_a_failed_multi_leaves_the_digest_as_an_operation_that_failed_alone():
    one, other = Shell(), Shell()
    for shell in (one, other):
        shell.run("create /a; create /a/b; create /a/b/c; container /box; ttl:5 /t 1000")
    parts = [
        create("/a/b/c/d"),
        create("/e", 1),
        create("/box/x"),
        set_data("/t", b"longer"),
        delete("/a/b/c/d"),
        delete("/a/b/c"),
        delete("/t"),
    ]
    assert codes(multi(one, *parts, check("/no")))[-1] == -101
    assert codes(multi(other, check("/no"))) == [-101]
    assert one.server.machine.digest == other.server.machine.digest
    assert recompute_digest(one.server.machine.store) == one.server.machine.digest
    assert one.server.machine.node_count == other.server.machine.node_count
    assert one.server.machine.ephemeral_count == 0
    assert one.server.machine.data_bytes == other.server.machine.data_bytes
    assert one.run("count /a") == "2"


def test_a_failed_multi_triggers_no_watch():
    shell = Shell()
    shell.run("create /a; getw /a; lsw /; existsw /b")
    multi(shell, set_data("/a", b"y"), create("/b"), delete("/a"), check("/no"))
    assert shell.run("events") == ""
    assert shell.run("checkwatch /a 2; checkwatch / 1; checkwatch /b 2") == "yes"


def test_a_multi_triggers_the_watches_of_all_parts_in_order():
    shell = Shell()
    shell.run("create /a; getw /a; lsw /; existsw /b")
    multi(shell, set_data("/a", b"y"), create("/b"), delete("/a"))
    assert shell.run("events") == "changed /a created /b children /"


def test_every_write_of_a_multi_needs_its_permission():
    shell = Shell()
    shell.run("create /a x world:anyone:1")
    assert codes(multi(shell, create("/b"), set_data("/a", b"y"))) == [0, -102]
    assert codes(multi(shell, create("/b"), create("/a/x"))) == [0, -102]
    shell.run("create /w x world:anyone:2")
    assert codes(multi(shell, check("/w", 0))) == [-102]


def test_a_bad_flag_fails_its_part():
    shell = Shell()
    assert codes(multi(shell, create("/a"), create("/b", 9))) == [0, -8]


def test_an_ephemeral_of_a_multi_belongs_to_the_session():
    shell = Shell()
    multi(shell, create("/e", 1))
    assert shell.run("eph") == "/e"
    assert shell.run("close; 2: exists /e") == "-101"


def header(opcode: int, *, done: bool = False) -> bytes:
    return opcode.to_bytes(4, signed=True) + bytes([done]) + b"\xff" * 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        header(-1)[:-1],
        header(OpCode.CREATE),
        header(OpCode.SET_ACL) + header(-1, done=True),
        header(OpCode.GET_DATA) + b"\0\0\0\1/\0" + header(-1, done=True),
        header(OpCode.MULTI) + header(-1, done=True) + header(-1, done=True),
        header(OpCode.DELETE) + b"\0\0\0\1/\0\0\0\0",
    ],
)
def test_a_multi_that_cannot_be_read_is_refused_as_a_whole(body):
    shell = Shell()
    with pytest.raises(MarshallingError):
        shell.connection(1).ask_bytes(OpCode.MULTI, body)
    assert shell.server.machine.zxid == 1


def read(path: str) -> MultiOperation:
    return MultiOperation(OpCode.GET_DATA, GetDataRequest(path, True))


def children(path: str) -> MultiOperation:
    return MultiOperation(OpCode.GET_CHILDREN, GetChildrenRequest(path, True))


def test_a_multi_read_answers_each_by_itself_and_leaves_no_watch():
    shell = Shell()
    shell.run("create /a hello; create /secret x ip:9.9.9.9:31")
    reply = multi(
        shell, read("/a"), read("/no"), children("/"), read("/secret"), opcode=OpCode.MULTI_READ
    )
    data, missing, names, hidden = [each.reply for each in reply.results]
    assert data.data == b"hello"
    assert missing == ErrorReply(-101)
    assert sorted(names.children) == ["a", "secret", "zookeeper"]
    assert hidden == ErrorReply(-102)
    assert shell.server.machine.watches.count == 0


@pytest.mark.parametrize(
    "body",
    [
        header(OpCode.CREATE) + header(-1, done=True),
        header(OpCode.GET_DATA) + header(-1, done=True),
        header(OpCode.GET_DATA) + b"\0\0\0\1/\0",
    ],
)
def test_a_multi_read_that_cannot_be_read_is_refused_as_a_whole(body):
    shell = Shell()
    with pytest.raises(MarshallingError):
        shell.connection(1).ask_bytes(OpCode.MULTI_READ, body)


def test_a_multi_read_has_a_greatest_reply():
    shell = Shell()
    shell.run("create /a " + "x" * 1_000_000)
    fits = [read("/a")] * (REPLY_BYTES_MAX // 1_000_100)
    assert len(multi(shell, *fits, opcode=OpCode.MULTI_READ).results) == len(fits)
    with pytest.raises(MarshallingError):
        multi(shell, *fits, read("/a"), opcode=OpCode.MULTI_READ)


def test_a_multi_read_looks_at_so_many_parts_and_names_at_the_most():
    shell = Shell()
    shell.run("create /a")
    fits = [read("/a")] * LOOKED_AT_MAX
    assert len(multi(shell, *fits, opcode=OpCode.MULTI_READ).results) == LOOKED_AT_MAX
    for more in (read("/a"), children("/")):
        with pytest.raises(MarshallingError):
            multi(shell, *fits[1:], children("/"), more, opcode=OpCode.MULTI_READ)
