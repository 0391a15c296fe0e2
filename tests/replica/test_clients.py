"""What a replica does with its clients' requests: order, parking, sessions, limits."""

from struct import pack

import pytest

from coord import jute
from coord.replica import admission as module
from coord.replica.connections import GREETING_MS, QUEUE_LENGTH_MAX
from coord.wire.opcodes import OpCode
from coord.wire.requests import AuthRequest, CreateRequest
from tests.replica.served import OPEN, Client, Served


@pytest.fixture
def served() -> Served:
    return Served()


def test_a_reply_waits_for_the_commit_and_reads_do_not(served: Served) -> None:
    writer, reader = served.attached(), served.attached()
    writer.create("/a")
    reader.exists("/")
    assert writer.xids() == []
    assert reader.xids() == [1]
    served.commit()
    assert writer.xids() == [1]


def test_replies_come_in_the_order_of_the_requests_and_reads_see_the_writes_before(
    served: Served,
) -> None:
    client = served.attached()
    client.create("/a", b"one")
    client.get("/a")
    client.set("/a", b"two")
    client.get("/a")
    served.commit()
    replies = client.replies()
    assert [xid for xid, _error, _body in replies] == [1, 2, 3, 4]
    assert replies[1][2].startswith(pack(">i", 3) + b"one")
    assert replies[3][2].startswith(pack(">i", 3) + b"two")


def test_a_ping_is_answered_before_writes_that_wait(served: Served) -> None:
    client = served.attached()
    client.create("/a")
    client.send(OpCode.PING, xid=-2)
    assert client.xids() == [-2]


def test_a_ping_is_not_answered_without_a_lease(served: Served) -> None:
    client = served.attached()
    served.clients.now_ms = 1001
    client.send(OpCode.PING, xid=-2)
    assert client.xids() == []


def test_a_ping_without_a_lease_is_answered_when_the_leader_knows_of_it_and_a_barrier_passed(
    served: Served,
) -> None:
    client = served.attached()
    served.clients.now_ms = 2000
    client.send(OpCode.PING, xid=-2)
    served.clients.lease.echo(2000)  # sent in the same millisecond, perhaps before the ping came
    served.clients.tick()
    barriers = served.clients.barriers
    assert barriers.ask(2000) is None
    served.clients.lease.echo(2001)
    served.clients.tick()
    token = barriers.ask(2001)
    assert token is not None
    barriers.confirmed(token, 7)
    assert barriers.passed(6) == []
    assert client.xids() == []
    for slot, body in barriers.passed(7):
        served.clients.barrier_passed(slot, body)
    assert client.xids() == [-2]


def test_a_ping_without_a_lease_is_never_answered_when_the_session_ended_meanwhile(
    served: Served,
) -> None:
    client, other = served.attached(), served.attached()
    served.clients.now_ms = 2000
    client.send(OpCode.PING, xid=-2)
    served.clients.lease.echo(2001)
    served.clients.tick()
    token = served.clients.barriers.ask(2001)
    assert token is not None
    served.clients.barriers.confirmed(token, 7)
    served.clients.ended(client.session.session_id)
    for slot, body in served.clients.barriers.passed(7):
        served.clients.barrier_passed(slot, body)
    assert client.xids() == []
    assert client.is_cut
    assert not other.is_cut


def test_a_connection_without_a_lease_is_cut_after_two_thirds_of_its_timeout(
    served: Served,
) -> None:
    client = served.attached()
    for now_ms in range(1001, 1001 + 4000 * 2 // 3, 100):
        served.clients.now_ms = now_ms
        served.clients.tick()
        client.exists("/")
        assert not client.is_cut
    served.clients.now_ms = 1001 + 4000 * 2 // 3 + 1
    served.clients.tick()
    assert client.is_cut


def test_an_event_comes_before_the_reply_of_the_write_that_made_it(served: Served) -> None:
    client = served.attached()
    client.create("/a")
    served.commit()
    client.get("/a", watch=True)
    client.replies()
    client.set("/a", b"x")
    served.commit()
    assert client.xids() == [-1, 3]


def test_a_parked_read_sees_its_own_write_and_not_the_next_operation(served: Served) -> None:
    first, second = served.attached(), served.attached()
    first.create("/a", b"1")
    first.get("/a")
    second.set("/a", b"2")
    served.commit()
    assert first.replies()[1][2].startswith(pack(">i", 1) + b"1")


def test_a_malformed_write_behind_a_pending_one_is_answered_in_its_turn(served: Served) -> None:
    client = served.attached()
    client.create("/a")
    client.send_frame(pack(">ii", 2, OpCode.SET_DATA) + b"\0\0")
    client.last_xid = 2
    client.exists("/a")
    assert client.xids() == []
    served.commit()
    assert [(xid, error) for xid, error, _ in client.replies()] == [(1, 0), (2, -5), (3, 0)]


def test_an_unknown_op_code_is_refused_and_the_connection_closed(served: Served) -> None:
    client = served.attached()
    client.send(4711)
    assert [(xid, error) for xid, error, _ in client.replies()] == [(1, -6)]
    assert client.is_cut


def test_requests_behind_the_greeting_are_answered_after_it(served: Served) -> None:
    client = served.client()
    client.connect()
    client.exists("/")
    assert client.received_frames() == []
    served.commit()
    frames = client.received_frames()
    assert len(frames) == 2
    assert frames[1][:4] == pack(">i", 1)


def test_a_wrong_password_is_refused_and_the_living_connection_stays(served: Served) -> None:
    alive = served.attached()
    thief = served.client()
    response = thief.attach(alive.session.session_id, b"x" * 16)
    assert (response.timeout_ms, response.session_id, response.password) == (0, 0, bytes(16))
    assert thief.is_cut
    alive.exists("/")
    assert alive.xids() == [1]


def test_a_resumed_session_cuts_its_older_connection(served: Served) -> None:
    old, new = served.attached(), served.client()
    new.attach(old.session.session_id, old.session.password or b"")
    assert new.session.session_id == old.session.session_id
    assert old.is_cut
    assert not new.is_cut


def test_a_write_under_an_older_attachment_is_not_carried_out_nor_answered(
    served: Served,
) -> None:
    old, new = served.attached(), served.client()
    new.connect(old.session.session_id, old.session.password or b"")
    old.create("/late")
    served.commit()
    assert old.replies() == []
    assert old.is_cut
    new.received_frames()
    new.exists("/late")
    assert new.replies()[0][1] == -101


def test_closing_a_session_removes_ephemerals_tells_watchers_and_answers_last(
    served: Served,
) -> None:
    closing, watcher = served.attached(), served.attached()
    closing.create("/e", flags=1)
    served.commit()
    watcher.exists("/e", watch=True)
    closing.replies()
    watcher.replies()
    closing.send(OpCode.CLOSE_SESSION)
    closing.exists("/ignored")
    served.commit()
    assert watcher.xids() == [-1]
    assert closing.xids() == [2]
    assert closing.is_cut


def test_a_client_that_has_seen_more_than_this_replica_waits_and_is_then_cut(
    served: Served,
) -> None:
    client = served.client()
    client.connect(seen=1 << 40)
    served.clients.now_ms = module.AHEAD_WAIT_MS
    served.clients.tick()
    assert not client.is_cut
    served.clients.now_ms = module.AHEAD_WAIT_MS + 1
    served.clients.tick()
    assert client.is_cut
    assert client.received_frames() == []


def test_a_client_that_has_seen_a_little_more_is_served_once_the_replica_has_caught_up(
    served: Served,
) -> None:
    other = served.attached()
    client = served.client()
    client.connect(seen=2)
    other.create("/a")
    served.commit()
    served.clients.tick()
    served.commit()
    assert client.received_frames() != []


def test_identities_that_were_added_count_for_the_requests_behind_them(served: Served) -> None:
    client = served.attached()
    client.send(OpCode.AUTH, AuthRequest(0, "digest", b"ann:secret"), xid=-4)
    assert client.replies() == [(-4, 0, b"")]
    client.send(OpCode.AUTH, AuthRequest(0, "nonsense", b""), xid=-4)
    assert [(xid, error) for xid, error, _ in client.replies()] == [(-4, -115)]
    assert client.is_cut


def test_a_client_that_pipelines_without_end_is_not_read_from_until_it_is_answered(
    served: Served,
) -> None:
    client = served.attached()
    for _ in range(QUEUE_LENGTH_MAX + 1):
        client.set("/zookeeper", b"")
    assert client.connection.paused
    served.commit()
    served.clients.pauses.go_on()
    assert not client.connection.paused
    assert client.connection.queue_bytes == 0


def test_writes_of_a_connection_that_is_gone_are_applied_and_their_replies_dropped(
    served: Served,
) -> None:
    client: Client = served.attached()
    client.create("/a")
    served.clients.closed(client.connection)
    served.commit()
    assert served.clients.origin.pending_bytes == 0
    other = served.attached()
    other.exists("/a")
    assert other.replies()[0][1] == 0


def test_a_sync_is_answered_when_its_barrier_has_passed_and_in_its_turn(served: Served) -> None:
    client = served.attached()
    client.create("/a")
    client.sync()
    served.pass_barrier()
    assert client.xids() == []
    served.commit()
    assert client.xids() == [1, 2]


def test_nothing_is_sent_after_a_connection_was_cut(served: Served) -> None:
    client, other = served.attached(), served.attached()
    client.exists("/a", watch=True)
    client.replies()
    client.connection.abort()
    other.create("/a")
    served.commit()
    assert client.received_frames() == []


def test_what_follows_a_failed_auth_in_the_same_piece_is_not_done(served: Served) -> None:
    client = served.attached()
    auth = jute.encode(AuthRequest(0, "nosuch", b""))
    write = jute.encode(CreateRequest("/a", b"", OPEN, 0))
    frames = (pack(">ii", -4, OpCode.AUTH) + auth, pack(">ii", 1, OpCode.CREATE) + write)
    data = b"".join(pack(">i", len(frame)) + frame for frame in frames)
    served.clients.received(client.connection, data)
    served.commit()
    assert [(xid, error) for xid, error, _body in client.replies()] == [(-4, -115)]
    assert client.is_cut
    reader = served.attached()
    reader.exists("/a")
    assert [error for _xid, error, _body in reader.replies()] == [-101]


def test_who_connects_and_says_nothing_is_cut(served: Served) -> None:
    silent, speaking = served.client(), served.attached()
    served.clients.now_ms = GREETING_MS
    served.clients.lease.echo(GREETING_MS)
    served.clients.tick()
    assert not silent.is_cut
    served.clients.now_ms += 1
    served.clients.tick()
    assert silent.is_cut
    assert not speaking.is_cut


def test_nothing_is_kept_of_clients_that_come_and_go_while_there_is_no_leader(
    served: Served,
) -> None:
    served.clients.now_ms = 10_000  # the lease is long over
    for _ in range(100):
        client = served.client()
        client.connect()
        served.clients.tick()
        served.clients.closed(client.connection)
    served.clients.tick()
    assert not served.clients.origin.pending
    assert not served.clients.admission.waiting
    patient = served.client()
    patient.connect()
    served.clients.lease.echo(10_000)
    served.clients.tick()
    served.commit()
    assert len(patient.received_frames()) == 1


def test_the_clock_is_read_after_a_ping_has_come(served: Served) -> None:
    client = served.attached()
    # The process was stopped after the round began: the ping may have come long after `now_ms`.
    served.clients.clock = lambda: 1001
    client.send(OpCode.PING, xid=-2)
    assert client.xids() == []
