"""What a replica without a lease does for clients: those may read for whom that is enough."""

from struct import pack

import pytest

from coord import jute
from coord.replica.admission import READ_ONLY_AFTER_MS
from coord.replica.survey import survey
from coord.replica.words import answer
from coord.wire.errors import NotReadOnly
from coord.wire.opcodes import OpCode
from coord.wire.records import ConnectResponse
from coord.wire.requests import AuthRequest
from tests.replica.ensemble import Ensemble, Running
from tests.replica.served import Client, Served

LEASE_OVER_MS = 1001


@pytest.fixture
def served() -> Served:
    """A replica with the znode /a that has been without a lease for long."""
    served = Served()
    writer = served.attached()
    writer.create("/a", b"old")
    served.commit()
    served.clients.now_ms = LEASE_OVER_MS
    served.clients.tick()
    served.clients.now_ms += READ_ONLY_AFTER_MS + 1
    served.clients.tick()
    return served


def greeted(served: Served, session_id: int = 0, password: bytes = b"") -> Client:
    """A client that has asked to be admitted, to read."""
    client = served.client()
    client.connect(session_id, password, read_only=True)
    frames = client.received_frames()
    if frames:
        client.session = jute.decode(ConnectResponse, frames[0])[0]
    return client


def said_by(running: Running, word: str) -> str:
    text = answer(word, survey(running.replica, (), (), 0, 0, ()))
    assert isinstance(text, bytes)
    return text.decode()


def regain_lease(served: Served) -> None:
    served.clients.lease.echo(served.clients.now_ms)
    served.clients.tick()


def test_clients_wait_for_a_leader_until_the_replica_is_read_only(served: Served) -> None:
    served = Served()
    served.clients.now_ms = LEASE_OVER_MS
    served.clients.tick()
    patient, reader = served.client(), served.client()
    patient.connect()
    reader.connect(read_only=True)
    served.clients.now_ms += READ_ONLY_AFTER_MS
    served.clients.tick()
    assert not patient.is_cut
    assert reader.received_frames() == []
    served.clients.now_ms += 1
    served.clients.tick()
    assert patient.is_cut
    assert patient.received_frames() == []
    assert len(reader.received_frames()) == 1


@pytest.mark.parametrize("read_only", [False, None])
def test_who_wants_to_write_is_closed_without_a_word(
    served: Served, read_only: bool | None
) -> None:
    client = served.client()
    client.connect(read_only=read_only)
    assert client.is_cut
    assert client.received_frames() == []


def test_who_only_reads_is_told_so_and_reads_what_was_applied(served: Served) -> None:
    client = greeted(served)
    assert client.session.read_only is True
    assert client.session.timeout_ms == 4000
    assert client.session.session_id > 1 << 62
    client.get("/a")
    client.exists("/b")
    (_, error, body), missing = client.replies()
    assert error == 0
    assert body.startswith(pack(">i", 3) + b"old")
    assert missing[1] == -101


def test_requests_sent_behind_the_greeting_are_answered_in_order(served: Served) -> None:
    client = served.client()
    served.clients.lease.echo(served.clients.now_ms)
    served.clients.tick()
    served.clients.now_ms += LEASE_OVER_MS
    served.clients.tick()
    client.connect(read_only=True)
    client.create("/b")
    client.get("/a")
    served.clients.now_ms += READ_ONLY_AFTER_MS + 1
    served.clients.tick()
    _greeting, *replies = client.received_frames()
    assert [frame[:4] for frame in replies] == [pack(">i", 1), pack(">i", 2)]


@pytest.mark.parametrize(
    "opcode",
    [
        OpCode.CREATE,
        OpCode.CREATE2,
        OpCode.CREATE_CONTAINER,
        OpCode.CREATE_TTL,
        OpCode.DELETE,
        OpCode.DELETE_CONTAINER,
        OpCode.SET_DATA,
        OpCode.SET_ACL,
        OpCode.MULTI,
        OpCode.CHECK,
        OpCode.SYNC,
        OpCode.RECONFIG,
    ],
)
def test_what_needs_a_leader_gets_not_read_only_whatever_it_holds(
    served: Served, opcode: OpCode
) -> None:
    """As a ZooKeeper 3.8.0 in read-only mode was seen to do."""
    client = greeted(served)
    client.send(opcode)
    assert client.replies() == [(1, NotReadOnly.code, b"")]
    assert not client.is_cut
    assert not served.clients.origin.pending


def test_pings_are_answered_and_hold_no_session(served: Served) -> None:
    client = greeted(served)
    client.send(OpCode.PING, xid=-2)
    assert client.xids() == [-2]
    assert served.clients.touched == {1}  # of the writer, before


def test_auth_opens_what_is_for_the_user(served: Served) -> None:
    client = greeted(served)
    client.send(OpCode.AUTH, AuthRequest(0, "digest", b"user:password"), xid=-4)
    client.send(OpCode.WHO_AM_I)
    (_, auth_error, _), (_, error, body) = client.replies()
    assert (auth_error, error) == (0, 0)
    assert b"digest" in body


def test_closing_is_answered_and_ends_the_connection(served: Served) -> None:
    client = greeted(served)
    client.send(OpCode.CLOSE_SESSION)
    client.exists("/a")
    assert client.replies() == [(1, 0, b"")]
    assert client.is_cut


def test_a_session_of_the_ensemble_is_neither_resumed_nor_called_expired(served: Served) -> None:
    living = Served()
    session = living.attached().session
    client = greeted(served, session.session_id, session.password or b"")
    assert client.is_cut
    assert client.session.timeout_ms == 0
    assert client.received_frames() == []


def test_a_read_only_session_goes_on_at_any_read_only_replica(served: Served) -> None:
    session = greeted(served).session
    again = greeted(served, session.session_id, session.password or b"")
    assert again.session == session
    stranger = greeted(served, session.session_id, b"x" * 16)
    assert (stranger.session.timeout_ms, stranger.session.session_id) == (0, 0)
    assert stranger.is_cut


def test_a_read_only_session_is_unknown_once_there_is_a_leader(served: Served) -> None:
    session = greeted(served).session
    regain_lease(served)
    client = served.client()
    client.connect(session.session_id, session.password or b"", read_only=True)
    served.commit()
    response = jute.decode(ConnectResponse, client.received_frames()[0])[0]
    assert (response.timeout_ms, response.session_id) == (0, 0)


def test_a_client_that_has_seen_more_is_closed_at_once(served: Served) -> None:
    client = served.client()
    client.connect(seen=1 << 40, read_only=True)
    assert client.is_cut


def test_with_the_lease_readers_are_cut_and_admitted_in_full(served: Served) -> None:
    reader = greeted(served)
    regain_lease(served)
    assert reader.is_cut
    again = served.client()
    again.connect(read_only=True)
    served.commit()
    response = jute.decode(ConnectResponse, again.received_frames()[0])[0]
    assert (response.read_only, response.session_id) == (False, 2)


def test_a_reader_that_is_silent_for_its_timeout_is_cut(served: Served) -> None:
    silent, pinging = greeted(served), greeted(served)
    for _ in range(5):
        assert not silent.is_cut
        served.clients.now_ms += 1000
        pinging.send(OpCode.PING, xid=-2)
        served.clients.tick()
    assert silent.is_cut
    assert not pinging.is_cut
    served.clients.closed(silent.connection)
    assert len(served.clients.read_only) == 1


def test_a_state_that_is_not_to_be_trusted_is_read_by_nobody(served: Served) -> None:
    reader = greeted(served)
    served.clients.admission.suspend(served.clients.now_ms)
    assert reader.is_cut
    later = served.client()
    later.connect(read_only=True)
    served.clients.now_ms += READ_ONLY_AFTER_MS
    served.clients.tick()
    assert later.received_frames() == []


def test_an_ensemble_that_was_never_founded_has_nothing_to_be_read() -> None:
    ensemble = Ensemble(2)
    ensemble.stopped.add(2)
    ensemble.run(5000)
    client = Client(ensemble[1])  # type: ignore[arg-type]
    client.connect(read_only=True)
    ensemble.run(1000)
    assert client.received_frames() == []


def test_a_replica_that_lost_its_quorum_is_read_until_it_has_one_again() -> None:
    ensemble = Ensemble(3)
    ensemble.run(2000)
    away = next(number for number in (1, 2, 3) if number != ensemble.leader)
    others = {1, 2, 3} - {away}
    writer = ensemble.client(away)
    writer.create("/a", b"x")
    ensemble.run(500)
    ensemble.stopped |= others
    ensemble.run(6000)
    running = ensemble[away]
    reader = Client(running)  # type: ignore[arg-type]
    reader.connect(read_only=True)
    assert len(reader.received_frames()) == 1
    assert said_by(running, "isro") == "ro"
    assert "\nMode: read-only\n" in said_by(running, "srvr")
    reader.get("/a")
    reader.set("/a", b"y")
    assert [error for _xid, error, _body in reader.replies()] == [0, NotReadOnly.code]
    ensemble.stopped -= others
    ensemble.run(4000)
    assert reader.is_cut
    assert said_by(running, "isro") == "rw"
    again = ensemble.client(away)
    again.set("/a", b"y")
    ensemble.run(500)
    assert [error for _xid, error, _body in again.replies()] == [0]
