"""Watches as clients meet them: which events come, how often, and in which order."""

import pytest

from coord import jute
from coord.wire.errors import MarshallingError
from coord.wire.numbers import OpCode
from coord.wire.requests import AddWatchRequest, SetWatches2Request, SetWatchesRequest
from tests.operations.shell import Shell

PERSISTENT, RECURSIVE = 0, 1
HIDDEN = "ip:9.9.9.9:31"

# Another connection (2) makes the changes; connection 1 watches.
EVENTS = [
    ("data changed", "create /a; getw /a; 2: set /a y; events", "changed /a"),
    ("the same data again is a change", "create /a; getw /a; 2: set /a x; events", "changed /a"),
    ("once only", "create /a; getw /a; 2: set /a y; 2: set /a z; events", "changed /a"),
    ("set twice, once only", "create /a; getw /a; getw /a; 2: set /a y; events", "changed /a"),
    ("getData on a missing node leaves none", "getw /a; 2: create /a; events", ""),
    ("getChildren on a missing node leaves none", "lsw /a; 2: create /a; events", ""),
    ("exists on a missing node leaves one", "existsw /a; 2: create /a; events", "created /a"),
    ("exists on a node that is there", "create /a; existsw /a; 2: set /a y; events", "changed /a"),
    ("a deleted node", "create /a; getw /a; 2: delete /a; events", "deleted /a"),
    ("an ACL is no change", "create /a; getw /a; 2: setacl /a world:anyone:1; events", ""),
    ("a child comes", "create /a; lsw /a; 2: create /a/b; events", "children /a"),
    ("a child goes", "create /a; create /a/b; lsw /a; 2: delete /a/b; events", "children /a"),
    ("a child's data is its own", "create /a; create /a/b; lsw /a; 2: set /a/b y; events", ""),
    ("a parent's data is not its list", "create /a; lsw /a; 2: set /a y; events", ""),
    ("a watched list's node goes", "create /a; lsw /a; 2: delete /a; events", "deleted /a"),
    (
        "one deletion, one event",
        "create /a; getw /a; lsw /a; existsw /a; 2: delete /a; events",
        "deleted /a",
    ),
    (
        "birth before the parent's list",
        "lsw /; existsw /a; 2: create /a; events",
        "created /a children /",
    ),
    (
        "death before the parent's list",
        "create /a; lsw /; getw /a; 2: delete /a; events",
        "deleted /a children /",
    ),
    ("own changes are told too", "create /a; getw /a; set /a y; events", "changed /a"),
    ("a failed write tells nothing", "create /a; getw /a; 2: set /a y 7; events", ""),
    (
        "a session's end deletes and tells",
        "2: create:1 /e; getw /e; lsw /; 2: close; events",
        "deleted /e children /",
    ),
]

STAYING = [
    (
        "a persistent watch hears all of its node",
        f"addwatch /a {PERSISTENT}; 2: create /a; 2: set /a y; 2: create /a/b; 2: set /a/b y;"
        "2: delete /a/b; 2: delete /a; events",
        "created /a changed /a children /a children /a deleted /a",
    ),
    (
        "a recursive watch hears all below, and no lists",
        f"addwatch /a {RECURSIVE}; 2: create /a; 2: create /a/b; 2: set /a/b y; 2: create /a/b/c;"
        "2: delete /a/b/c; 2: delete /a/b; 2: set /a y; 2: create /ab; events",
        "created /a created /a/b changed /a/b created /a/b/c deleted /a/b/c deleted /a/b"
        " changed /a",
    ),
    ("the root may be watched so", f"addwatch / {RECURSIVE}; 2: create /a; events", "created /a"),
    ("the reply is a number", f"addwatch /a {PERSISTENT}", "0"),
    ("a mode nobody knows", "addwatch /a 2", "-5"),
    ("any path will do", f"addwatch nonsense {PERSISTENT}", "0"),
    (
        "modes live side by side",
        f"create /a; getw /a; addwatch /a {PERSISTENT}; 2: set /a y; 2: set /a z; events",
        "changed /a changed /a",
    ),
    (
        "two watches, one event",
        f"create /a; create /a/b; addwatch /a {RECURSIVE}; getw /a/b; 2: set /a/b y; events",
        "changed /a/b",
    ),
]

HIDING = [
    ("who may not read is not told", f"existsw /a; 2: create /a x {HIDDEN}; events", ""),
    (
        "the watch is spent all the same",
        f"create /a; getw /a; setacl /a {HIDDEN}; 2: delete /a; 2: create /a; events",
        "",
    ),
    (
        "a list is told by the parent's ACL",
        f"create /a; lsw /a; 2: create /a/b x {HIDDEN}; events",
        "children /a",
    ),
    (
        "recursive watches are filtered too",
        f"addwatch / {RECURSIVE}; 2: create /a x {HIDDEN}; 2: create /b; events",
        "created /b",
    ),
    (
        "exists without READ leaves no watch",
        f"create /a x {HIDDEN}; existsw /a; checkwatch /a 3",
        "-121",
    ),
]

CHECKING = [
    ("a data watch is one", "create /a; getw /a; checkwatch /a 2", "yes"),
    ("and no child watch", "create /a; getw /a; checkwatch /a 1", "-121"),
    ("any will do", "create /a; getw /a; checkwatch /a 3", "yes"),
    ("a child watch is one", "create /a; lsw /a; checkwatch /a 1", "yes"),
    ("a persistent watch is one", f"addwatch /a {PERSISTENT}; checkwatch /a 4", "yes"),
    ("and no data watch", f"addwatch /a {PERSISTENT}; checkwatch /a 2", "-121"),
    ("a recursive watch is one", f"addwatch /a {RECURSIVE}; checkwatch /a 5", "yes"),
    ("and not persistent", f"addwatch /a {RECURSIVE}; checkwatch /a 4", "-121"),
    ("none is none", "checkwatch /a 3", "-121"),
    ("another's is none", "create /a; 2: getw /a; checkwatch /a 3", "-121"),
    ("a type nobody knows", "checkwatch /a 6", "-5"),
    ("what is removed is gone", "create /a; getw /a; unwatch /a 2; checkwatch /a 3", "-121"),
    ("what is removed hears nothing", "create /a; getw /a; unwatch /a 3; 2: set /a y; events", ""),
    ("none cannot be removed", "unwatch /a 3", "-121"),
    ("another type stays", "create /a; getw /a; lsw /a; unwatch /a 1; checkwatch /a 2", "yes"),
    ("removing with a type nobody knows", "create /a; getw /a; unwatch /a 0", "-5"),
]


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        pytest.param(script, answer, id=title)
        for title, script, answer in [*EVENTS, *STAYING, *HIDING, *CHECKING]
    ],
)
def test_a_script_answers(script, answer):
    assert Shell().run(script) == answer


def test_events_carry_the_zxid_of_the_change():
    shell = Shell()
    shell.run("create /a; getw /a; 2: set /a y")
    assert shell.connection(1).event_zxids == [shell.server.machine.zxid]


def set_watches(shell, data=(), exist=(), child=(), since=0, number=1):
    connection = shell.connection(number)
    connection.ask(OpCode.SET_WATCHES, SetWatchesRequest(since, data, exist, child))
    return shell.run(f"{number}: events")


def test_set_watches_tells_what_was_missed():
    shell = Shell()
    shell.run("create /a; create /b; create /c")
    since = shell.server.machine.zxid
    shell.run("set /a y; delete /b; create /c/d")
    missed = set_watches(shell, ("/a", "/b"), ("/c",), ("/c", "/b"), since)
    assert missed == "changed /a deleted /b created /c children /c deleted /b"
    assert shell.connection(1).event_zxids == [-1] * 5
    assert shell.server.machine.watches.count == 0


def test_set_watches_sets_again_what_missed_nothing():
    shell = Shell()
    shell.run("create /a")
    since = shell.server.machine.zxid
    assert set_watches(shell, ("/a",), ("/no",), ("/a",), since) == ""
    assert shell.run("2: set /a y; 2: create /no; 2: create /a/b; events") == (
        "changed /a created /no children /a"
    )


def test_a_deleted_child_is_missed_by_the_list_watch_even_by_session_end():
    shell = Shell()
    shell.run("create /a; 2: create:1 /a/e")
    since = shell.server.machine.zxid
    shell.run("2: close")
    assert set_watches(shell, child=("/a",), since=since) == "children /a"


def test_set_watches_does_not_tell_about_what_may_not_be_read():
    shell = Shell()
    shell.run(f"create /a x {HIDDEN}")
    assert set_watches(shell, ("/a",), ("/a",), ("/a",)) == ""
    assert shell.server.machine.watches.count == 0


def test_set_watches2_sets_staying_watches_without_catching_up():
    shell = Shell()
    shell.run("create /a")
    request = SetWatches2Request(0, (), (), (), ("/a",), ("/",))
    shell.connection(1).ask(OpCode.SET_WATCHES2, request)
    assert shell.run("events") == ""
    assert shell.run("2: set /a y; 2: create /b; events") == "changed /a created /b"


def test_a_null_list_is_a_marshalling_error():
    shell = Shell()
    with pytest.raises(MarshallingError):
        set_watches(shell, data=None)


def test_a_request_that_cannot_be_read_is_a_marshalling_error():
    shell = Shell()
    whole = jute.encode(AddWatchRequest("/a", 0))
    for cut in range(len(whole)):
        with pytest.raises(MarshallingError):
            shell.connection(1).ask_bytes(OpCode.ADD_WATCH, whole[:cut])
