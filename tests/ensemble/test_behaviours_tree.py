"""What a compatible server must reproduce, behaviours 12 to 15 and 21 to 23: the tree."""

import re
import socket

import attrs
import pytest

from tests.ensemble import frames
from tests.ensemble.frames import Stat
from tests.ensemble.probe import Probe
from tests.ensemble.servers import Ensemble


def create_operation(
    path: str, data: bytes = b"", *, code: int = frames.CREATE
) -> tuple[int, bytes]:
    return code, frames.create_body(path, data, 0)


def set_operation(path: str, data: bytes, version: int = -1) -> tuple[int, bytes]:
    return frames.SET_DATA, frames.text(path) + frames.buffer(data) + frames.int32(version)


def check_operation(path: str, version: int) -> tuple[int, bytes]:
    return frames.CHECK, frames.text(path) + frames.int32(version)


def delete_operation(path: str) -> tuple[int, bytes]:
    return frames.DELETE, frames.text(path) + frames.int32(-1)


def test_12_a_multi_that_succeeds_answers_each_operation_with_its_own_type(
    ensemble: Ensemble, probe: Probe, base: str
) -> None:
    operations = [
        create_operation(base + "/a"),
        create_operation(base + "/b", code=frames.CREATE2),
        create_operation(base + "/c", code=frames.CREATE_CONTAINER),
        set_operation(base + "/a", b"x", 0),
        check_operation(base + "/a", 1),
        delete_operation(base + "/b"),
    ]
    results = probe.multi(operations)
    types = [code for code, _, _ in results]
    if ensemble.kind == "zookeeper":
        # ZOOKEEPER-4026: up to 3.8.2 every kind of create in a multi was answered as a create.
        assert types[1:3] == [frames.CREATE, frames.CREATE]
        types[1:3] = [frames.CREATE2, frames.CREATE2]
    assert types == [
        frames.CREATE,
        frames.CREATE2,
        frames.CREATE2,
        frames.SET_DATA,
        frames.CHECK,
        frames.DELETE,
    ]
    assert [error for _, error, _ in results] == [0] * 6
    assert results[0][2] == base + "/a"
    stat = results[3][2]
    assert isinstance(stat, Stat)
    assert (stat.version, stat.czxid) == (1, stat.mzxid)
    assert probe.children(base)[0] == ["a", "c"]


def test_12_a_multi_that_fails_names_the_operation_and_changes_nothing(
    probe: Probe, base: str
) -> None:
    before = probe.stat(base)
    reply = probe.try_multi(
        [
            create_operation(base + "/a"),
            set_operation(base + "/a", b"x"),
            check_operation(base, 7),
            create_operation(base + "/b"),
            delete_operation(base),
        ]
    )
    assert reply.error == 0
    errors = [0, 0, frames.BAD_VERSION, frames.RUNTIME_INCONSISTENCY, frames.RUNTIME_INCONSISTENCY]
    assert frames.read_multi(reply.body) == [(-1, error, None) for error in errors]
    assert probe.stat(base) == before
    assert probe.multi([]) == []


def test_13_sequential_names_count_the_creates_under_their_parent(
    probe: Probe, other: Probe, base: str
) -> None:
    def create(client: Probe, name: str, flags: int) -> str:
        return client.create(f"{base}/{name}", flags=flags)[len(base) + 1 :]

    assert create(probe, "n-", frames.SEQUENTIAL) == "n-0000000000"
    assert create(probe, "plain", 0) == "plain"
    probe.delete(base + "/plain")
    assert create(other, "m-", frames.EPHEMERAL_SEQUENTIAL) == "m-0000000002"
    assert probe.try_create(base + "/n-0000000000").error == frames.NODE_EXISTS
    assert create(probe, "", frames.SEQUENTIAL) == "0000000003"
    names = [create((probe, other)[n % 2], "q", frames.SEQUENTIAL) for n in range(20)]
    assert names == [f"q{n:010d}" for n in range(4, 24)]


def test_14_cversion_children_and_pzxid_agree_in_every_reply(probe: Probe, base: str) -> None:
    created = 0
    for n in range(3):
        zxid = probe.try_create(f"{base}/{n}").zxid
        created += 1
        children, stat = probe.children(base)
        assert (stat.cversion, stat.children, len(children)) == (created, n + 1, n + 1)
        assert stat.pzxid == zxid
    probe.set(base + "/1", b"a child's data does not count")
    for n in range(3):
        zxid = probe.try_delete(f"{base}/{n}").zxid
        stat = probe.stat(base)
        assert (stat.cversion, stat.children, stat.pzxid) == (created + n + 1, 2 - n, zxid)
    assert (stat.version, stat.aversion, stat.mzxid) == (0, 0, stat.czxid)


def test_15_only_ephemeral_nodes_have_an_owner(probe: Probe, base: str) -> None:
    for name, flags, code in (
        ("persistent", frames.PERSISTENT, frames.CREATE),
        ("ephemeral", frames.EPHEMERAL, frames.CREATE2),
        ("container", frames.CONTAINER, frames.CREATE_CONTAINER),
    ):
        path = f"{base}/{name}"
        assert probe.call(code, frames.create_body(path, b"", flags)).error == 0
        owner = probe.session.id if name == "ephemeral" else 0
        assert probe.stat(path).ephemeral_owner == owner


def test_21_the_first_error_in_order_is_the_one_that_is_told(
    ensemble: Ensemble, probe: Probe, base: str
) -> None:
    probe.create(base + "/ephemeral", flags=frames.EPHEMERAL)
    probe.create(base + "/parent")
    probe.create(base + "/parent/child")
    locked = frames.vector([frames.entry(frames.READ | frames.ADMIN, "world", "anyone")])
    nothing = frames.vector([])
    creates = [
        ("/none/a", 0, frames.OPEN, frames.NO_NODE),
        ("/parent", 0, frames.OPEN, frames.NODE_EXISTS),
        ("/parent/child/", 0, frames.OPEN, frames.BAD_ARGUMENTS),
        ("/none/..", 0, frames.OPEN, frames.NO_NODE),
        ("/none/a", 0, nothing, frames.INVALID_ACL),
        ("/none/a", 99, nothing, frames.BAD_ARGUMENTS),
        ("/a\0b", 0, nothing, frames.BAD_ARGUMENTS),
        ("/ephemeral/a", 0, frames.OPEN, frames.NO_CHILDREN_FOR_EPHEMERALS),
        ("/a\x01", 0, frames.OPEN, frames.BAD_ARGUMENTS),
        ("/.", 0, frames.OPEN, frames.BAD_ARGUMENTS),
    ]
    for name, flags, acl, error in creates:
        assert probe.try_create(base + name, flags=flags, acl=acl).error == error, name
    assert probe.try_delete(base + "/parent", 7).error == frames.BAD_VERSION
    assert probe.try_delete(base + "/parent").error == frames.NOT_EMPTY
    assert probe.try_delete(base + "/none", 7).error == frames.NO_NODE
    assert probe.try_set(base + "/none", b"", 7).error == frames.NO_NODE
    assert probe.try_set(base, b"", 7).error == frames.BAD_VERSION
    assert probe.try_set(base, b"", -2).error == frames.BAD_VERSION
    for path in ("/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"):
        assert probe.try_delete(path).error == frames.BAD_ARGUMENTS
    assert probe.try_set_acl(base + "/parent", locked).error == 0
    assert probe.try_create(base + "/parent/child").error == frames.NO_AUTH
    assert probe.try_delete(base + "/parent/child", 7).error == frames.NO_AUTH
    assert probe.try_set(base + "/parent", b"", 7).error == frames.NO_AUTH
    assert probe.try_set_acl(base + "/parent", nothing, 7).error == frames.INVALID_ACL
    assert probe.try_set_acl(base + "/parent", frames.OPEN, 7).error == frames.BAD_VERSION
    assert probe.try_set_acl(base + "/parent", frames.OPEN, 1).error == 0


def test_22_containers_can_be_created_and_ttl_nodes_are_refused_rather_than_hang(
    probe: Probe, base: str
) -> None:
    body = frames.create_body(base + "/container", b"x", frames.CONTAINER)
    reader = probe.call(frames.CREATE_CONTAINER, body).reader()
    assert reader.text() == base + "/container"
    stat = reader.stat()
    reader.end()
    assert (stat.ephemeral_owner, stat.data_length, stat.children) == (0, 1, 0)
    probe.create(base + "/container/child")
    body = frames.create_body(base + "/ttl", b"", frames.TTL) + frames.int64(60_000)
    reply = probe.call(frames.CREATE_TTL, body)
    # Off by default in ZooKeeper; a server where they are on creates one.
    assert reply.error in (0, frames.UNIMPLEMENTED)
    assert probe.ping().error == 0


def test_23_the_configuration_node_names_reachable_servers_or_nothing(
    ensemble: Ensemble, probe: Probe
) -> None:
    data, stat = probe.get("/zookeeper/config", watch=True)
    assert stat.children == 0
    lines = (data or b"").decode().splitlines()
    if lines:
        pattern = r"server\.(\d+)=[^:;]+:\d+:\d+:(participant|observer)(;([^:;]+):(\d+))?"
        assert re.fullmatch(r"version=[0-9a-f]+", lines[-1])
        for line in lines[:-1]:
            match = re.fullmatch(pattern, line)
            assert match, line
            if match[3]:
                address = (match[4], int(match[5]))
                assert address == ensemble.address(int(match[1]))
                socket.create_connection(address, timeout=10).close()
    assert probe.try_set("/zookeeper/config", b"").error == frames.NO_AUTH


def test_dangerous_operations_of_servers_are_refused_from_clients(
    ensemble: Ensemble, base: str
) -> None:
    if ensemble.kind == "zookeeper":
        pytest.skip("ZooKeeper executes deleteContainer and writes a top-level check to its log")
    for code, body in (
        (frames.DELETE_CONTAINER, frames.buffer(base.encode())),
        (frames.CREATE_SESSION, frames.int32(10_000)),
        (frames.CHECK, frames.text(base) + frames.int32(-1)),
    ):
        with Probe(ensemble.address(1)) as client:
            assert client.call(code, body).error in (frames.UNIMPLEMENTED, frames.BAD_ARGUMENTS)
    with Probe(ensemble.address(1)) as client:
        client.sync()
        assert client.try_exists(base).error == 0


def test_a_reply_of_create2_is_the_path_and_the_stat_that_exists_tells(
    probe: Probe, base: str
) -> None:
    reply = probe.call(frames.CREATE2, frames.create_body(base + "/a", b"four", 0))
    reader = reply.reader()
    assert reader.text() == base + "/a"
    stat = reader.stat()
    reader.end()
    assert stat == probe.stat(base + "/a")
    assert stat.czxid == stat.mzxid == stat.pzxid == reply.zxid
    assert attrs.astuple(stat)[4:] == (0, 0, 0, 0, 4, 0, reply.zxid)
