"""zkCli.sh of the Debian package works: the shell that ZooKeeper's users know."""

import re
import subprocess
from pathlib import Path

import attrs
import pytest

from tests.ensemble.servers import Ensemble, zookeeper_missing

SHELL = Path("/usr/share/zookeeper/bin/zkCli.sh")
EVENT = re.compile(r"\nWATCHER::\n\nWatchedEvent state:(\w+) type:(\w+) path:(\S+)\n")

pytestmark = pytest.mark.skipif(
    zookeeper_missing() is not None or not SHELL.exists(),
    reason="no zkCli.sh: the Debian package zookeeper is not installed",
)


@attrs.frozen
class Output:
    """What a run of the shell printed."""

    lines: list[str]
    """Standard output, less events, the version of the shell and empty lines."""
    messages: list[str]
    """What was created, and errors; less the logging library's complaints."""
    events: list[tuple[str, str]]
    """The watch events as (type, path)."""


def run(ensemble: Ensemble, *commands: str, arguments: tuple[str, ...] = ()) -> Output:
    """Give commands to one shell that may use every replica."""
    process = subprocess.run(
        [SHELL, "-server", ensemble.hosts, *arguments],
        input="\n".join([*commands, "quit", ""]),
        capture_output=True,
        text=True,
        timeout=30,
    )
    events = [match.groups()[1:] for match in EVENT.finditer(process.stdout)]
    lines = EVENT.sub("", process.stdout).splitlines()
    messages = process.stderr.splitlines()
    return Output(
        [line for line in lines if line][0 if arguments else 3 :],
        [line for line in messages if not line.startswith("SLF4J")],
        [(kind, path) for kind, path in events if kind != "None"],
    )


def stat_of(lines: list[str]) -> dict[str, str]:
    """The fields of a Stat among these lines, and that none is missing."""
    pairs = (line.partition(" = ") for line in lines)
    fields = {name: value for name, equals, value in pairs if equals}
    assert list(fields) == [
        "cZxid",
        "ctime",
        "mZxid",
        "mtime",
        "pZxid",
        "cversion",
        "dataVersion",
        "aclVersion",
        "ephemeralOwner",
        "dataLength",
        "numChildren",
    ]
    return fields


def test_nodes_are_created_read_watched_changed_and_listed(ensemble: Ensemble, base: str) -> None:
    output = run(
        ensemble,
        f"create {base}/a hello",
        f"get -s -w {base}/a",
        f"set {base}/a two",
        f"create {base}/a/b",
        f"create -s {base}/a/s-",
        f"create -c {base}/a/c",
        f"ls -R -s {base}",
        f"get {base}/none",
        f"getAllChildrenNumber {base}",
        f"sync {base}",
    )
    assert output.lines[0] == "hello"
    stat = stat_of(output.lines[1:12])
    assert (stat["dataVersion"], stat["dataLength"], stat["ephemeralOwner"]) == ("0", "5", "0x0")
    assert stat["cZxid"] == stat["mZxid"]
    created = [f"{base}/a", f"{base}/a/b", f"{base}/a/s-0000000001", f"{base}/a/c"]
    assert output.lines[12:17] == [base, created[0], created[1], created[3], created[2]]
    assert output.lines[17:] == ["4", "Sync is OK"]
    assert output.messages == [
        *(f"Created {path}" for path in created),
        f"Node does not exist: {base}/none",
    ]
    assert output.events == [("NodeDataChanged", f"{base}/a")]


def test_add_watch_sees_a_whole_tree_until_it_is_deleted(ensemble: Ensemble, base: str) -> None:
    output = run(
        ensemble,
        f"addWatch {base}/a",
        f"create {base}/a x",
        f"create {base}/a/b x",
        f"set {base}/a/b y",
        f"deleteall {base}/a",
        f"ls {base}",
    )
    assert output.lines == ["[]"]
    assert output.events == [
        ("NodeCreated", f"{base}/a"),
        ("NodeCreated", f"{base}/a/b"),
        ("NodeDataChanged", f"{base}/a/b"),
        ("NodeDeleted", f"{base}/a/b"),
        ("NodeDeleted", f"{base}/a"),
    ]


def test_acls_and_identities(ensemble: Ensemble, base: str) -> None:
    output = run(
        ensemble,
        f"create {base}/a",
        f"getAcl {base}/a",
        "addauth digest ann:secret",
        "whoami",
        f"setAcl {base}/a auth:ann:secret:cdrwa",
        f"getAcl -s {base}/a",
        f"get {base}/a",
    )
    assert output.lines[:2] == ["'world,'anyone", ": cdrwa"]
    assert output.lines[2] == "Auth scheme: User"
    assert sorted(output.lines[3:5]) == ["digest: ann", "ip: 127.0.0.1"]
    assert output.lines[5:7] == ["'digest,'ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM=", ": cdrwa"]
    assert stat_of(output.lines[7:18])["aclVersion"] == "1"
    stranger = run(ensemble, f"sync {base}", f"get {base}/a")
    assert stranger.messages == [f"Insufficient permission : {base}/a"]


def test_ephemerals_belong_to_the_shell(ensemble: Ensemble, base: str) -> None:
    output = run(
        ensemble, f"create -e {base}/e", "getEphemerals", f"getEphemerals {base}/x", "version"
    )
    assert output.lines[:2] == [f"[{base}/e]", "[]"]
    assert output.lines[2].startswith("ZooKeeper CLI version: 3.")
    assert run(ensemble, f"sync {base}", f"ls {base}").lines == ["Sync is OK", "[]"]


def test_a_command_may_stand_on_the_command_line(ensemble: Ensemble, base: str) -> None:
    output = run(ensemble, arguments=("stat", base))
    assert stat_of(output.lines)["numChildren"] == "0"
