"""The shell's commands, on an ensemble in memory."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest
import trio
import trio.testing

from client import Client, Instrument, NoAuth
from coord.cli.shell.completion import Fragment, LiveTree, ShellCompleter
from coord.cli.shell.output import Output
from coord.cli.shell.prompt import ShellHistory, open_history
from coord.cli.shell.row import UsageError, quoted, split
from coord.cli.shell.shell import Shell
from coord.cli.shell.table import COMMANDS
from tests.client.conftest import Fake, fake

__all__ = ["fake"]

HOSTS = "one:1,two:2,three:3"
OF_ZKCLI = """
addWatch m: | addauth | close | config c w s | connect | create s e c t: | delete v: | deleteall b:
| delquota n b N B | get s w | getAcl s | getAllChildrenNumber | getEphemerals | history | listquota
| ls s w R | printwatches | quit | reconfig s v: file: members: add: remove: | redo
| removewatches c d a l | set s v: | setAcl s v: R | setquota n: b: N: B: | stat w | sync | version
| whoami
"""
"""What zkCli.sh of ZooKeeper 3.8.0 lists when it is asked for help."""


@asynccontextmanager
async def opened(fake: Fake, *, as_json: bool = False) -> AsyncIterator[Shell]:
    def connect(hosts: str, instrument: Instrument):
        return fake.connect(hosts, instruments=[instrument])

    async with trio.open_nursery() as nursery:
        output = Output(as_json=as_json, colours=False)
        shell = Shell(nursery, COMMANDS, HOSTS, output, connect)
        await shell.connection.open(HOSTS)
        yield shell
        await shell.connection.close()
        nursery.cancel_scope.cancel()


async def outcome(
    shell: Shell, capfd: pytest.CaptureFixture[str], *lines: str
) -> tuple[list[str], list[str]]:
    """What these commands write: results, faults."""
    for line in lines:
        await shell.run_line(line)
    await trio.testing.wait_all_tasks_blocked(0.01)  # so that events have come
    captured = capfd.readouterr()
    return captured.out.splitlines(), captured.err.splitlines()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("get /a", ["get", "/a"]),
        ('set /a {"a":1}', ["set", "/a", '{"a":1}']),
        ("set /a 'two words'", ["set", "/a", "two words"]),
        ('set "/a b" ""', ["set", "/a b", ""]),
        ("  ls\t/ ", ["ls", "/"]),
    ],
)
def test_words_are_split_as_in_zkcli(line: str, words: Sequence[str]) -> None:
    assert split(line) == words
    assert split(" ".join(map(quoted, words))) == words


def test_a_quote_that_is_not_closed_is_named() -> None:
    with pytest.raises(UsageError, match="not closed"):
        split('get "/a')


def test_options_stand_anywhere_and_together_but_not_behind_two_dashes() -> None:
    row = COMMANDS["create"]
    given = row.read(["-se", "/a", "-t", "5", "data"])
    assert (given.words, given.flags, given.values) == (("/a", "data"), {"s", "e"}, {"t": "5"})
    assert row.read(["/a", "--", "-e"]).words == ("/a", "-e")
    assert COMMANDS["set"].read(["/a", "-5"]).words == ("/a", "-5")
    with pytest.raises(UsageError, match="write: create"):
        row.read(["-t"])


def test_every_command_and_option_of_zkcli_is_there() -> None:
    for entry in OF_ZKCLI.replace("\n", " ").split("|"):
        name, *options = entry.split()
        assert set(options) <= set(COMMANDS[name].options.split()), name


async def test_znodes_are_created_read_changed_listed_and_deleted(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        results, faults = await outcome(
            shell,
            capfd,
            "create /a one",
            "create -s /a/s- x",
            "create -e /a/e",
            "create -p /b/c/d",
            "set /a two",
            "get /a",
            "ls /a",
            "ls -R /b",
            "getEphemerals",
            "delete -v 0 /a/e",
            "deleteall /b",
            "deleteall -b 1 /a",
            "ls /",
            "get /a",
            "sync /",
        )
    created = ["/a", "/a/s-0000000000", "/a/e", "/b/c/d"]
    listed = ["two", "e", "s-0000000000", "/b", "/b/c", "/b/c/d", "/a/e"]
    assert results == [*created, *listed, "Sync is OK"]
    assert faults == ["coord: get: NoNode: /a"]


async def test_the_stat_is_written_as_zkcli_writes_it(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        results, _ = await outcome(shell, capfd, "create /a one", "get -s /a", "set -s /a two 0")
    names = [line.partition(" = ")[0] for line in results[2:13]]
    assert names[:3] == ["cZxid", "ctime", "mZxid"]
    assert names[-2:] == ["dataLength", "numChildren"]
    assert results[19] == "dataVersion = 1"


async def test_a_watch_writes_one_event_as_it_comes_and_one_that_stays_each(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        _, faults = await outcome(shell, capfd, "create /a", "get -w /a", "ls -w /a", "stat -w /b")
        assert faults == ["coord: stat: NoNode: -w /b"]
        results, _ = await outcome(shell, capfd, "set /a x", "set /a y", "create /a/c", "create /b")
        events = sorted(line for line in results if line.startswith("event"))
        told = [("NodeChildrenChanged", "/a"), ("NodeCreated", "/b"), ("NodeDataChanged", "/a")]
        assert events == [f"event: {kind} {path}" for kind, path in told]
        results, _ = await outcome(shell, capfd, "addWatch /a", "set /a z", "set /a/c z")
        kinds = [line.split()[1:3] for line in results if line.startswith("event")]
        assert kinds == [["NodeDataChanged", "/a"], ["NodeDataChanged", "/a/c"]]
        results, faults = await outcome(
            shell, capfd, "removewatches /a", "set /a q", "removewatches /a"
        )
        assert (results, faults) == ([], ["coord: removewatches: NoWatcher: /a"])
        assert shell.status == 1


async def test_a_get_of_what_is_missing_ends_no_watch_for_its_creation(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        results, _ = await outcome(shell, capfd, "get -w /b", "stat -w /b", "get -w /b")
        assert results == []
        results, _ = await outcome(shell, capfd, "create /b")
    assert results == ["/b", "event: NodeCreated /b"]


async def test_a_shell_ends_although_something_is_watched(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        lines = ("create /a", "get -w /a", "ls -w /a", "addWatch /a", "stat -w /b")
        _, faults = await outcome(shell, capfd, *lines)
        assert faults == ["coord: stat: NoNode: -w /b"]
    assert capfd.readouterr().err == ""


class Forbidding:
    """A client that may see one state of a znode and no other."""

    async def watch(self, path: str) -> AsyncIterator[None]:
        yield None
        raise NoAuth(path)


async def test_a_watch_that_may_not_go_on_is_told_and_ends_alone(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        await shell.watches.read(cast("Client", Forbidding()), "/a", or_creation=True)
        _, faults = await outcome(shell, capfd, "ls /")
        assert faults == ["coord: the watch of /a ends: NoAuth"]
        assert not shell.watches.has("/a", "data")
        assert shell.status == 0


async def test_the_end_of_the_last_of_several_watches_is_waited_for(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        await outcome(shell, capfd, "create /a", "get -w /a")
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(shell.watches.wait_until_none)
                await outcome(shell, capfd, "ls -w /a", "set /a x", "create /a/b")


async def test_events_are_not_written_while_printwatches_is_off(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        results, _ = await outcome(
            shell, capfd, "create /a", "get -w /a", "printwatches off", "set /a x"
        )
    assert results[2:] == ["printwatches is off"]


async def test_acls_are_written_as_they_are_read(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    acl = "world:anyone:cdr,digest:ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM=:w,x509:CN=a,O=b:r"
    async with opened(fake) as shell:
        results, faults = await outcome(
            shell, capfd, f"create /a x {acl}", "getAcl /a", "create /b x anyone", "whoami"
        )
    assert results[1:4] == [
        "world:anyone:cdr",
        "digest:ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM=:w",
        "x509:CN=a,O=b:r",
    ]
    assert results[4:] == ["Auth scheme: User", "ip: 127.0.0.1"]
    assert "scheme:id:cdrwa" in faults[0]


async def test_quotas_are_znodes_as_zkcli_writes_them(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        results, faults = await outcome(
            shell,
            capfd,
            "create -p /q/a",
            "setquota -n 5 /q",
            "setquota -B 100 /q",
            "get /zookeeper/quota/q/zookeeper_limits",
            "listquota /q",
            "setquota -n 1 /q/a",
            "delquota -n /q",
            "listquota /q",
            "delquota /q",
            "listquota /q",
            "ls /zookeeper/quota",
        )
    limits = "count=5,bytes=-1=;byteHardLimit=100;countHardLimit=-1"
    assert results[1:4] == [
        limits,
        f"Output quota for /q {limits}",
        "Output stat for /q count=0,bytes=0",
    ]
    assert (
        results[4] == "Output quota for /q count=-1,bytes=-1=;byteHardLimit=100;countHardLimit=-1"
    )
    assert results[6:] == ["quota for /q does not exist."]
    assert faults == ["coord: /q/a has a parent /q which has a quota"]


async def test_as_json_each_result_event_and_fault_is_one_value_a_line(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake, as_json=True) as shell:
        lines, faults = await outcome(
            shell, capfd, "create /a one", "get -w /a", "ls /", "set /a two", "get /none", "frob"
        )
    assert faults == []
    values = [json.loads(line) for line in lines]
    assert [value for value in values if "event" in value] == [
        {"event": "NodeDataChanged", "path": "/a"}
    ]
    created, got, listed, changed, none, unknown = (v for v in values if "event" not in v)
    assert created == {"path": "/a"}
    assert (got["data"], got["stat"]["dataVersion"]) == ("one", 0)
    assert listed == ["a"]
    assert changed["stat"]["dataVersion"] == 1
    assert none == {"error": "NoNode", "message": "get: NoNode: /none"}
    assert unknown["error"] == "UsageError"


async def test_data_that_is_no_text_is_base64_in_json(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake, as_json=True) as shell:
        await (await shell.zk()).create("/a", b"\xff\x00")
        lines, _ = await outcome(shell, capfd, "get /a")
    assert json.loads(lines[0])["data_base64"] == "/wA="


async def test_lines_are_kept_and_carried_out_again(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        results, faults = await outcome(
            shell, capfd, "create -s /a/ x", "create -s /b x", "redo 1", "redo 7", "history"
        )
    assert results[:2] == ["/b0000000000", "/b0000000001"]
    assert results[-3:] == ["2 - create -s /b x", "3 - redo 7", "4 - history"]
    assert faults == ["coord: create: NoNode: -s /a/ x", "coord: there is no line 7"]


async def test_without_a_session_commands_fail_until_there_is_another(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opened(fake) as shell:
        await outcome(shell, capfd, "create -e /e", "create /p")
        results, faults = await outcome(shell, capfd, "close", "ls /", "connect", "ls /")
    assert faults == ["coord: ls: there is no session; write: connect"]
    assert results[1:] == ["p"]


async def test_where_no_server_answers_a_command_ends_in_time(
    autojump_clock, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    fake.down = {-1}
    async with opened(fake) as shell:
        _, faults = await outcome(shell, capfd, "ls /")
    assert faults == [f"coord: no server of {HOSTS} answers"]
    assert shell.status == 69


async def completed(shell: Shell, line: str) -> list[str]:
    """What Tab offers at the end of a line, each put into its place."""
    fragment = Fragment.of(line)
    if fragment is None:
        return []
    names = await live_tree(shell).fetch(fragment.text.rpartition("/")[0] or "/")
    completer = ShellCompleter(shell.commands, lambda _parent: names)
    words = [word for word, _shown in completer.choices(fragment)]
    return [line[: len(line) - fragment.length] + fragment.replaced_by(word) for word in words]


def live_tree(shell: Shell) -> LiveTree:
    return LiveTree(shell.connection, trio.lowlevel.current_trio_token())


async def test_commands_options_and_paths_of_the_live_tree_are_completed(fake: Fake) -> None:
    async with opened(fake) as shell:
        zk = await shell.zk()
        for path in ("/app", "/app/one", "/app/other", "/app/two words"):
            await zk.create(path)
        assert await completed(shell, "getE") == ["getEphemerals"]
        assert await completed(shell, "help redo") == ["help redo"]
        assert await completed(shell, "create -") == [f"create -{each}" for each in "sectp"]
        assert await completed(shell, "get /a") == ["get /app"]
        assert await completed(shell, "get -s /app/o") == ["get -s /app/one", "get -s /app/other"]
        assert await completed(shell, "get /app/t") == ['get "/app/two words"']
        assert await completed(shell, 'get "/app/two w') == ['get "/app/two words']
        assert await completed(shell, "get /none/") == []
        assert await completed(shell, "get relative") == []
        assert await completed(shell, "get '/app'") == []
        await shell.connection.close()
        assert await completed(shell, "get /a") == []


async def test_completion_does_not_wait_for_servers_that_are_silent(
    autojump_clock, fake: Fake
) -> None:
    async with opened(fake) as shell:
        await shell.zk()
        fake.cut_off = {1, 2, 3}
        fake.down = {-1}
        for connection in fake.connections:
            connection.scope.cancel()
        before = trio.current_time()
        assert await live_tree(shell).fetch("/") == []
        assert trio.current_time() - before < 2


def test_lines_with_passwords_are_not_written_to_the_file(tmp_path) -> None:
    path = tmp_path / "state" / "history"
    history = open_history(path)
    assert isinstance(history, ShellHistory)
    for line in (
        "get /a",
        "addauth digest ann:secret",
        " 'addauth' digest ann:secret",
        "addauth; digest ann:secret",
    ):
        history.append_string(line)
    assert "secret" not in path.read_text()
    assert "get /a" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
