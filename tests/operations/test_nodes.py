"""Creating, deleting and changing znodes: results, and which error comes first."""

import attrs
import pytest

from tests.operations.server import SETTINGS
from tests.operations.shell import Shell

# (what it shows, script, what its last command answers)
CREATE = [
    ("a node is created under its path", "create /a", "/a"),
    ("data is kept", "create /a hello; get /a", "hello"),
    ("null data stays null", "create /a null; get /a", "null"),
    ("empty data stays empty", 'create /a ""; get /a', '""'),
    ("null data has length 0", "create /a null; stat /a data_length", "0"),
    ("create2 answers the Stat too", "create2 /a", "/a 2"),
    ("the parent must exist", "create /a/b", "-101"),
    ("a node is created once", "create /a; create /a", "-110"),
    ("the root exists", "create /", "-110"),
    ("a path needs a slash", "create a", "-8"),
    ("a path begins with a slash", "create a/b", "-101"),
    ("a missing parent comes before a bad path", "create /a//b", "-101"),
    ("a missing parent comes before dots", "create /x/..", "-101"),
    ("a missing parent comes before a slash at the end", "create /q/", "-101"),
    ("a slash at the end is no name", "create /q; create /q/", "-8"),
    ("one dot is no name", "create /.", "-8"),
    ("two dots are no name", "create /..", "-8"),
    ("three dots are a name", "create /...", "/..."),
    ("two slashes are no path", "create //b", "-8"),
    ("a NUL is refused before the parent is sought", "create /no/\0", "-8"),
    ("a NUL is refused before the ACL is looked at", 'create /\0 x ""', "-8"),
    ("the ACL comes before the parent", 'create /no/a x ""', "-114"),
    ("an ephemeral node has no children", "create:1 /e; create /e/a", "-108"),
    ("that it exists comes before the ephemeral parent", "create:1 /e; create /e", "-110"),
    ("an ephemeral node names its owner", "create:1 /e; stat /e ephemeral_owner", "1"),
    ("a persistent node has no owner", "create /e; stat /e ephemeral_owner", "0"),
    ("a container has no owner", "container /c; stat /c ephemeral_owner", "0"),
    ("a TTL node has no owner", "ttl:5 /t 10; stat /t ephemeral_owner", "0"),
    ("flag 4 in a plain create gives a plain node", "create:4 /c; wait 999999; reap", ""),
    ("createContainer takes flag 0", "container:0 /c; wait 999999; reap", "/c"),
    ("createContainer takes flag 1", "container:1 /c; wait 999999; reap", "/c"),
    ("createContainer takes flag 4", "container:4 /c; wait 999999; reap", "/c"),
    ("a container may be numbered", "container:2 /c", "/c0000000000"),
    ("a flag nobody knows is refused", "create:7 /a", "-8"),
    ("a negative flag is refused", "create:-1 /a", "-8"),
    ("a TTL flag needs a TTL", "create:5 /a", "-8"),
    ("a TTL flag needs a TTL in a container too", "container:6 /a", "-8"),
    ("createTTL needs a TTL flag", "ttl:0 /a 10", "-8"),
    ("a TTL is at least 1", "ttl:5 /a 0", "-8"),
    ("a TTL is not negative", "ttl:5 /a -1", "-8"),
    ("a TTL is at most 2**40 - 1", "ttl:5 /a 1099511627775", "/a"),
    ("a longer TTL is refused", "ttl:5 /a 1099511627776", "-8"),
    ("a bad TTL comes before the parent", "ttl:5 /no/a 0", "-8"),
    ("a TTL node may be numbered", "ttl:6 /t- 10", "/t-0000000000"),
    ("nodes are created below /zookeeper", "create /zookeeper/x", "/zookeeper/x"),
]

SEQUENCE = [
    ("numbers begin at 0", "create /p; create:2 /p/a-", "/p/a-0000000000"),
    ("numbers rise", "create /p; create:2 /p/a-; create:2 /p/a-", "/p/a-0000000001"),
    ("prefixes share a counter", "create /p; create:2 /p/a-; create:2 /p/b-", "/p/b-0000000001"),
    ("every create counts", "create /p; create /p/x; create:3 /p/a", "/p/a0000000001"),
    (
        "deletes do not count",
        "create /p; create:2 /p/a; delete /p/a0000000000; create:2 /p/a",
        "/p/a0000000001",
    ),
    (
        "failed creates do not count",
        "create /p; create /p/x; create /p/x; create:2 /p/a",
        "/p/a0000000001",
    ),
    ("the number may be the name", "create /p; create:2 /p/", "/p/0000000000"),
    ("below the root too", "create:2 /", "/0000000000"),
    ("a bad prefix is refused", "create:2 /p\x01", "-8"),
    ("dots may be numbered", "create:2 /..", "/..0000000000"),
    ("an occupied number is refused", "create /p; create /p/a0000000001; create:2 /p/a", "-110"),
]

DELETE = [
    ("a deleted node is gone", "create /a; delete /a; get /a", "-101"),
    ("a node must exist", "delete /a", "-101"),
    ("its parent must exist", "delete /a/b", "-101"),
    ("the root stays", "delete /", "-8"),
    ("/zookeeper stays", "delete /zookeeper", "-8"),
    ("/zookeeper/quota stays", "delete /zookeeper/quota", "-8"),
    ("/zookeeper/config stays", "delete /zookeeper/config", "-8"),
    ("a path needs a slash", "delete a", "-8"),
    ("a NUL is no path", "delete /a\0", "-8"),
    ("other odd paths are just missing", "delete /a/", "-101"),
    ("two slashes are just missing", "delete //a", "-101"),
    ("children keep a node", "create /a; create /a/b; delete /a", "-111"),
    ("the version must match", "create /a; delete /a 1", "-103"),
    ("the right version will do", "create /a; set /a y; delete /a 1", ""),
    ("any version is -1", "create /a; set /a y; delete /a -1", ""),
    ("-2 is a version like others", "create /a; delete /a -2", "-103"),
    ("the version comes before the children", "create /a; create /a/b; delete /a 7", "-103"),
    ("an emptied parent can go", "create /a; create /a/b; delete /a/b; delete /a", ""),
    ("a name may come again", "create /a x; delete /a; create /a y; get /a", "y"),
]

SET = [
    ("data is replaced", "create /a x; set /a y; get /a", "y"),
    ("data may become null", "create /a x; set /a null; get /a", "null"),
    ("the version rises", "create /a; set /a y", "1"),
    ("a node must exist", "set /a y", "-101"),
    ("a path must be legal", "set a y", "-8"),
    ("a path must not end in a slash", "create /a; set /a/ y", "-8"),
    ("the version must match", "create /a; set /a y 1", "-103"),
    ("the right version will do", "create /a; set /a y 0", "1"),
    ("-2 is a version like others", "create /a; set /a y -2", "-103"),
    ("the root takes data", "set / y; get /", "y"),
    ("/zookeeper takes data", "set /zookeeper y", "1"),
    ("/zookeeper/config is read-only", "set /zookeeper/config y", "-102"),
    ("no right comes before a version", "create /a x world:anyone:1; set /a y 7", "-102"),
]

STAT = [
    ("birth sets zxids and times", "wait 5; create /a; stat /a czxid,mzxid,pzxid", "2 2 2"),
    ("times are the entry's", "wait 5; create /a; stat /a ctime,mtime", "5 5"),
    ("versions begin at 0", "create /a; stat /a version,cversion,aversion", "0 0 0"),
    ("data moves mzxid", "create /a; set /a y; stat /a czxid,mzxid,pzxid", "2 3 2"),
    ("data moves mtime", "create /a; wait 3; set /a y; stat /a ctime,mtime", "0 3"),
    ("data has its length", "create /a hello; stat /a data_length,num_children", "5 0"),
    (
        "an ACL moves aversion",
        "create /a; setacl /a world:anyone:1; stat /a version,aversion",
        "0 1",
    ),
    ("an ACL moves no zxid", "create /a; setacl /a world:anyone:1; stat /a mzxid,pzxid", "2 2"),
    ("a birth moves the parent's pzxid", "create /a; create /a/b; stat /a mzxid,pzxid", "2 3"),
    ("a birth counts", "create /a; create /a/b; stat /a num_children,cversion", "1 1"),
    (
        "a death moves the parent's pzxid",
        "create /a; create /a/b; delete /a/b; stat /a mzxid,pzxid",
        "2 4",
    ),
    ("a death counts", "create /a; create /a/b; delete /a/b; stat /a num_children,cversion", "0 2"),
    ("a grandchild counts nothing", "create /a; create /a/b; create /a/b/c; stat /a cversion", "1"),
    ("a child's data counts nothing", "create /a; create /a/b; set /a/b y; stat /a cversion", "1"),
    ("the root is as old as time", "stat / czxid,ctime,num_children,cversion", "0 0 1 -1"),
    ("the root counts births", "create /a; stat / num_children,cversion,pzxid", "2 0 2"),
    ("/zookeeper has two children", "stat /zookeeper num_children,cversion", "2 -2"),
    ("the configuration has no version", "stat /zookeeper/config version,aversion", "-1 -1"),
    ("time never goes back", "wait 9; create /a; wait -5; create /b; stat /b ctime", "9"),
]

REAPING = [
    ("an unused container waits five minutes", "container /c; wait 300000; reap", ""),
    ("then it goes", "container /c; wait 300001; reap; exists /c", "-101"),
    ("a used container with children stays", "container /c; create /c/a; wait 999999; reap", ""),
    ("it goes once its last child went", "container /c; create /c/a; delete /c/a; reap", "/c"),
    ("a TTL node goes when idle", "ttl:5 /t 10; wait 11; reap; exists /t", "-101"),
    ("not before", "ttl:5 /t 10; wait 10; reap", ""),
    ("a change of its data starts over", "ttl:5 /t 10; wait 6; set /t y; wait 6; reap", ""),
    ("an ACL does not", "ttl:5 /t 10; wait 6; setacl /t world:anyone:1; wait 6; reap", "/t"),
    ("children keep it", "ttl:5 /t 10; create /t/a; wait 99; reap", ""),
    (
        "the death of a child does not start over",
        "ttl:5 /t 10; create /t/a; wait 99; delete /t/a; reap",
        "/t",
    ),
    (
        "a container below a container goes one round later",
        "container /c; container /c/d; create /c/d/e; delete /c/d/e; reap; reap",
        "/c",
    ),
    ("plain nodes stay", "create /a; wait 999999999; reap", ""),
]


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        pytest.param(script, answer, id=title)
        for title, script, answer in [*CREATE, *SEQUENCE, *DELETE, *SET, *STAT, *REAPING]
    ],
)
def test_a_script_answers(script, answer):
    assert Shell().run(script) == answer


@pytest.mark.parametrize(
    "script", ["ttl:5 /t 10", "ttl:5 /t 0", "ttl:6 /no/t -1", "create:5 /t", "container:6 /t"]
)
def test_without_the_setting_ttl_nodes_are_unimplemented(script):
    assert Shell(attrs.evolve(SETTINGS, ttl_nodes=False)).run(script) == "-6"


def test_characters_that_zookeeper_forbids_are_refused():
    shell = Shell()
    allowed = ["\u00a0", "\u00e9", "\ud7ff", "\uf900", "\uffef", " ", "~", "\u4e2d"]
    refused = ["\x01", "\x1f", "\x7f", "\x9f", "\ue000", "\uf8ff", "\ufff0", "\U0001f600"]
    assert [shell.one_path(f"/x{each}") for each in allowed] == ["ok"] * len(allowed)
    assert [shell.one_path(f"/x{each}") for each in refused] == ["-8"] * len(refused)
