"""zkCli.sh of the Debian package works: the shell that ZooKeeper's users know."""

import pytest

from tests.ensemble.servers import Ensemble, zookeeper_missing
from tests.ensemble.zkcli import SHELL, compare, run

pytestmark = pytest.mark.skipif(
    zookeeper_missing() is not None or not SHELL.exists(),
    reason="no zkCli.sh: the Debian package zookeeper is not installed",
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
        ensemble.hosts,
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
        ensemble.hosts,
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
        ensemble.hosts,
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
    stranger = run(ensemble.hosts, f"sync {base}", f"get {base}/a")
    assert stranger.messages == [f"Insufficient permission : {base}/a"]


def test_ephemerals_belong_to_the_shell(ensemble: Ensemble, base: str) -> None:
    output = run(
        ensemble.hosts, f"create -e {base}/e", "getEphemerals", f"getEphemerals {base}/x", "version"
    )
    assert output.lines[:2] == [f"[{base}/e]", "[]"]
    assert output.lines[2].startswith("ZooKeeper CLI version: 3.")
    assert run(ensemble.hosts, f"sync {base}", f"ls {base}").lines == ["Sync is OK", "[]"]


def test_a_command_may_stand_on_the_command_line(ensemble: Ensemble, base: str) -> None:
    output = run(ensemble.hosts, arguments=("stat", base))
    assert stat_of(output.lines)["numChildren"] == "0"


def test_coord_shell_means_by_every_command_what_zkcli_means(coord: Ensemble) -> None:
    theirs, ours, their_tree, our_tree = compare(coord.hosts)
    assert ours == theirs
    assert our_tree == their_tree
