"""When a disk counts as nearly full, and what is refused then."""

import pytest

from coord.replica.room import RESERVE_BYTES, Room, Space
from coord.wire.multi import MultiOperation, MultiRequest
from coord.wire.numbers import OpCode
from coord.wire.requests import (
    CheckRequest,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    SetAclRequest,
    SetDataRequest,
)
from tests.replica.ensemble import Ensemble
from tests.replica.served import OPEN, Client, Served

TIB = 1 << 40
QUOTA_EXCEEDED = -125

CREATE = CreateRequest("/new", b"", OPEN, 0)
SET = SetDataRequest("/a", b"x", -1)
DELETE = DeleteRequest("/a", -1)
CHECK = CheckRequest("/a", -1)


def space(free: float, reusable: float = 0.0, unflushed: float = 0.0, total: int = TIB) -> Space:
    """Free, reusable and unflushed in reserves."""
    reserve = Space(total, 0, 0, 0).reserve_bytes
    return Space(total, int(free * reserve), int(reusable * reserve), int(unflushed * reserve))


def multi(*parts: tuple[OpCode, object]) -> MultiRequest:
    return MultiRequest(tuple(MultiOperation(opcode, request) for opcode, request in parts))


def test_a_disk_is_short_below_the_reserve_and_recovers_a_quarter_above_it() -> None:
    room = Room()
    seen = []
    for free in (2.0, 1.01, 0.99, 1.01, 1.24, 1.26, 1.01, 0.99):
        room.looked(space(free))
        seen.append(room.is_refused)
    assert seen == [False, False, True, True, True, False, False, True]


def test_each_change_is_one_line() -> None:
    room = Room()
    lines = [room.looked(space(free)) for free in (2.0, 0.5, 0.4, 2.0, 2.1)]
    assert [bool(line) for line in lines] == [False, True, False, True, False]
    assert lines[1].startswith("the disk is nearly full: 256 MiB are free on its volume")
    assert lines[3].startswith("the disk has room again")


def test_pages_that_deletes_gave_back_are_room_but_for_half_of_the_reserve() -> None:
    assert space(0.6, reusable=0.5).leaves(RESERVE_BYTES)
    assert not space(0.4, reusable=5.0).leaves(RESERVE_BYTES)


def test_what_the_next_flush_will_take_is_no_room() -> None:
    assert space(1.5, unflushed=0.4).leaves(RESERVE_BYTES)
    assert not space(1.5, unflushed=0.6).leaves(RESERVE_BYTES)
    assert not space(0.6, reusable=5.0, unflushed=0.2).leaves(RESERVE_BYTES)


def test_the_reserve_of_a_small_volume_is_an_eighth_of_it() -> None:
    assert Space(TIB, 0, 0, 0).reserve_bytes == RESERVE_BYTES
    assert Space(800, 0, 0, 0).reserve_bytes == 100


@pytest.fixture
def client() -> Client:
    served = Served()
    client = served.attached()
    client.create("/a")
    served.commit()
    client.replies()
    served.clients.room.looked(space(0.1))
    return client


@pytest.mark.parametrize(
    ("opcode", "request_"),
    [
        (OpCode.CREATE, CREATE),
        (OpCode.CREATE2, CREATE),
        (OpCode.CREATE_CONTAINER, CreateRequest("/new", b"", OPEN, 4)),
        (OpCode.CREATE_TTL, CreateTtlRequest("/new", b"", OPEN, 5, 1000)),
        (OpCode.SET_DATA, SET),
        (OpCode.SET_ACL, SetAclRequest("/a", OPEN, -1)),
        (OpCode.MULTI, multi((OpCode.CHECK, CHECK), (OpCode.SET_DATA, SET))),
        (OpCode.MULTI, multi((OpCode.DELETE, DELETE), (OpCode.CREATE, CREATE))),
    ],
)
def test_what_takes_room_is_refused_and_never_proposed(
    client: Client, opcode: OpCode, request_: object
) -> None:
    client.send(opcode, request_)
    assert [error for _xid, error, _body in client.replies()] == [QUOTA_EXCEEDED]
    assert not client.served.clients.origin.pending


@pytest.mark.parametrize(
    ("opcode", "request_"),
    [
        (OpCode.DELETE, DELETE),
        (OpCode.MULTI, multi((OpCode.CHECK, CHECK), (OpCode.DELETE, DELETE))),
        (OpCode.CLOSE_SESSION, None),
    ],
)
def test_what_frees_room_passes(client: Client, opcode: OpCode, request_: object) -> None:
    client.send(opcode, request_)
    client.served.commit()
    assert [error for _xid, error, _body in client.replies()] == [0]


def test_sessions_begin_and_reads_are_answered_all_the_same(client: Client) -> None:
    other = client.served.attached()
    assert other.session.session_id
    other.get("/a")
    assert [error for _xid, error, _body in other.replies()] == [0]


def test_a_refusal_keeps_its_place_behind_writes_that_wait(client: Client) -> None:
    client.send(OpCode.DELETE, DELETE)
    client.create("/b")
    assert client.replies() == []
    client.served.commit()
    assert [(xid, error) for xid, error, _body in client.replies()] == [(2, 0), (3, QUOTA_EXCEEDED)]


def test_writes_go_on_when_there_is_room_again(client: Client) -> None:
    client.served.clients.room.looked(space(2.0))
    client.create("/b")
    client.served.commit()
    assert [error for _xid, error, _body in client.replies()] == [0]


# ---------------------------------------------------------------------------- of an ensemble


def outcome(ensemble: Ensemble, number: int) -> int:
    client = ensemble.client(number)
    client.create(f"/{ensemble.now_ms}")
    ensemble.run(200)
    ((_xid, error, _body),) = client.replies()
    return error


@pytest.fixture
def ensemble() -> Ensemble:
    ensemble = Ensemble(3)
    ensemble.run(2000)
    return ensemble


def test_one_short_disk_refuses_its_own_clients_only(ensemble: Ensemble) -> None:
    ensemble[3].clients.room.looked(space(0.1))
    ensemble.run(500)
    assert [outcome(ensemble, number) for number in (1, 2, 3)] == [0, 0, QUOTA_EXCEEDED]


def test_all_refuse_while_no_replication_quorum_has_room(ensemble: Ensemble) -> None:
    for number in (2, 3):
        ensemble[number].clients.room.looked(space(0.1))
    ensemble.run(500)
    assert outcome(ensemble, 1) == QUOTA_EXCEEDED
    ensemble[2].clients.room.looked(space(2.0))
    ensemble.run(500)
    assert [outcome(ensemble, number) for number in (1, 2, 3)] == [0, 0, QUOTA_EXCEEDED]
    assert len([line for line in ensemble[1].warnings if "replication quorum" in line]) == 2


def test_replicas_that_are_gone_are_no_full_disks(ensemble: Ensemble) -> None:
    leader = ensemble[ensemble.leader]
    client = ensemble.client(leader.clients.origin.replica)
    ensemble.stopped.update({1, 2, 3} - {leader.clients.origin.replica})
    ensemble.run(1500)
    assert not leader.clients.room.is_refused
    assert client.replies() == []


def test_a_replica_that_is_gone_has_no_room(ensemble: Ensemble) -> None:
    leader = ensemble.leader
    gone, short = sorted({1, 2, 3} - {leader})
    ensemble.stopped.add(gone)
    ensemble[short].clients.room.looked(space(0.1))
    ensemble.run(3000)
    assert outcome(ensemble, ensemble.leader) == QUOTA_EXCEEDED
