"""What reads answer, and when they refuse."""

import pytest

from coord import jute
from coord.wire.errors import MarshallingError, NoNode
from coord.wire.numbers import OpCode
from coord.wire.requests import GetChildrenReply, GetDataReply
from tests.operations.shell import Shell

SECRET = "ip:9.9.9.9:31"  # an ACL that permits nothing to the tests' connections

READS = [
    ("exists answers the Stat", "create /a; set /a y; exists /a", "1"),
    ("exists answers a missing node", "exists /a", "-101"),
    ("getData answers a missing node", "get /a", "-101"),
    ("getChildren answers a missing node", "ls /a", "-101"),
    ("paths are not checked", "get a", "-101"),
    ("a slash at the end is not there", "create /a; get /a/", "-101"),
    ("exists refuses a NUL", "exists /a\0", "-8"),
    ("getChildren names the children", "create /a; create /a/b; create /a/c; ls /a", "b c"),
    ("a fresh tree has /zookeeper", "ls /", "zookeeper"),
    ("/zookeeper has what ZooKeeper's has", "ls /zookeeper", "config quota"),
    ("grandchildren are no children", "create /a; create /a/b; create /a/b/c; ls /a", "b"),
    ("exists needs READ", f"create /a x {SECRET}; exists /a", "-102"),
    ("getData needs READ", f"create /a x {SECRET}; get /a", "-102"),
    ("getChildren needs READ", f"create /a x {SECRET}; ls /a", "-102"),
    ("counting needs READ", f"create /a x {SECRET}; count /a", "-102"),
    ("a fresh root has three descendants", "count /", "3"),
    ("a leaf has none", "create /a; count /a", "0"),
    ("counting needs the node", "count /a", "-101"),
    (
        "children of children count",
        "create /a; create /a/b; create /a/b/c; create /a/b/c/d; count /a",
        "3",
    ),
    (
        "the dead do not count",
        "create /a; create /a/b; create /a/b/c; create /a/b/c/d; delete /a/b/c/d; count /a",
        "2",
    ),
    ("a session lists its own nodes", "create:1 /b; create:1 /a; 2: create:1 /c; eph /", "/a /b"),
    ("no prefix is every node", "create:1 /a; eph", "/a"),
    ("the prefix is text", "create:1 /ab; create:1 /ac; create:1 /b; eph /a", "/ab /ac"),
    ("sync echoes its path", "sync /no/such", "/no/such"),
]


@pytest.mark.parametrize(
    ("script", "answer"),
    [pytest.param(script, answer, id=title) for title, script, answer in READS],
)
def test_a_script_answers(script, answer):
    assert Shell().run(script) == answer


def frame(body: bytes) -> bytes:
    return bytes(8) + body


def text(path: str | None) -> bytes:
    return b"\xff" * 4 if path is None else len(path).to_bytes(4) + path.encode()


def test_the_empty_path_is_the_root():
    shell = Shell()
    caller, machine = shell.connection(1).caller, shell.server.machine
    body = machine.answer(caller, OpCode.GET_DATA, frame(text("") + b"\0"))
    assert jute.decode_all(GetDataReply, body).data == b""
    body = machine.answer(caller, OpCode.GET_CHILDREN, frame(text("") + b"\0"))
    assert jute.decode_all(GetChildrenReply, body).children == ("zookeeper",)
    assert machine.answer(caller, OpCode.GET_ALL_CHILDREN_NUMBER, frame(text(""))) == b"\0\0\0\3"


def test_an_empty_path_does_not_make_what_is_missing_the_root():
    shell = Shell()
    with pytest.raises(NoNode):
        shell.server.machine.answer(shell.connection(1).caller, OpCode.GET_ACL, frame(text("/a")))


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b"\0\0\0", b"\0\0\0\5/a", text("/"), text(None) + b"\0", b"\x80\0\0\0\0"],
)
@pytest.mark.parametrize("opcode", [OpCode.EXISTS, OpCode.GET_DATA, OpCode.GET_CHILDREN2])
def test_a_body_that_cannot_be_read_is_a_marshalling_error(opcode, body):
    shell = Shell()
    with pytest.raises(MarshallingError):
        shell.server.machine.answer(shell.connection(1).caller, opcode, frame(body))


def test_what_follows_the_body_is_ignored():
    shell = Shell()
    caller = shell.connection(1).caller
    assert shell.server.machine.answer(caller, OpCode.EXISTS, frame(text("/") + b"\0more"))


def test_a_null_path_of_sync_comes_back_as_null():
    shell = Shell()
    machine, caller = shell.server.machine, shell.connection(1).caller
    assert machine.answer(caller, OpCode.SYNC, frame(text(None))) == text(None)
    assert machine.answer(caller, OpCode.SYNC, frame(text("/a") + b"more")) == text("/a")


@pytest.mark.parametrize("prefix", [None, "", " ", "/", " / "])
def test_a_blank_prefix_lists_every_ephemeral_node(prefix):
    shell = Shell()
    shell.run("create:1 /a")
    machine, caller = shell.server.machine, shell.connection(1).caller
    body = machine.answer(caller, OpCode.GET_EPHEMERALS, frame(text(prefix)))
    assert body == b"\0\0\0\1" + text("/a")


def test_long_names_are_listed_whole():
    shell = Shell()
    names = ["n" * length for length in (1, 255, 256, 3000)]
    for name in names:
        shell.one(f"create /{name}")
    assert shell.run("ls /").split() == sorted([*names, "zookeeper"])
