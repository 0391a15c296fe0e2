"""What a compatible server must reproduce, behaviours 1 to 5, 16 to 20, 24 and 25.

The numbers are those of the list of 25 behaviours; watches and the tree have modules of their own.
"""

import base64
import hashlib
import re
import struct
import time

import pytest

from tests.ensemble import frames
from tests.ensemble.frames import Reader
from tests.ensemble.probe import ClosedError, Connection, Probe, RefusedError, Session, greeting
from tests.ensemble.processes import four_letter_word, wait_for
from tests.ensemble.servers import Ensemble


def digest(credential: str) -> str:
    """The id that a digest credential proves."""
    hashed = base64.b64encode(hashlib.sha1(credential.encode()).digest()).decode()
    return f"{credential.partition(':')[0]}:{hashed}"


def test_01_the_response_has_the_read_only_byte_only_when_the_request_had_it(
    ensemble: Ensemble,
) -> None:
    for has_byte, length in ((False, 36), (True, 37)):
        with Connection(ensemble.address(1)) as connection:
            connection.send_frame(greeting(read_only_byte=has_byte))
            response = connection.receive_frame()
            assert len(response) == length
            reader = Reader(response)
            assert reader.take("ii") == (0, 10_000)
            assert reader.int64() != 0
            password = reader.buffer()
            assert password is not None
            assert len(password) == 16


def test_02_a_session_that_is_not_valid_is_refused_and_never_replaced(ensemble: Ensemble) -> None:
    with Probe(ensemble.address(1)) as closed:
        was = closed.session
        closed.close_session()
    with Probe(ensemble.address(2)) as alive:
        wrong = Session(alive.session.id, b"wrong password..", 10_000)
        unknown = Session(0x7700_0000_0000_0077, alive.session.password, 10_000)
        for session in (was, unknown, wrong):
            for replica in ensemble.ids:
                with Connection(ensemble.address(replica)) as connection:
                    connection.send_frame(greeting(session=session))
                    response = connection.receive_frame()
                    expected = struct.pack(">iiqi16s?", 0, 0, 0, 16, bytes(16), False)
                    assert response == expected
                    assert connection.is_closed_by_server()


def test_03_a_client_that_has_seen_more_is_not_served_until_the_replica_has_caught_up(
    ensemble: Ensemble, other: Probe, base: str
) -> None:
    address = ensemble.address(ensemble.followers()[0])
    zxid = other.set(base, b"now").mzxid + 3
    with Connection(address, seconds=1) as connection:
        connection.send_frame(greeting(last_zxid=zxid))
        with pytest.raises((ClosedError, TimeoutError)):
            connection.receive_frame()
    while other.set(base, b"later").mzxid < zxid:
        pass

    def served() -> bool:
        try:
            with Probe(address, last_zxid=zxid) as late:
                return late.get(base)[1].mzxid >= zxid
        except ClosedError:
            return False

    wait_for(served, seconds=5, what="a replica that caught up serves")


def test_04_requests_pipelined_behind_the_greeting_are_answered_behind_the_response(
    ensemble: Ensemble, base: str
) -> None:
    create = struct.pack(">ii", 1, frames.CREATE) + frames.create_body(base + "/a", b"x", 0)
    read = struct.pack(">ii", 2, frames.GET_DATA) + frames.text(base + "/a") + b"\0"
    ping = struct.pack(">ii", frames.PING_XID, frames.PING)
    with Connection(ensemble.address(1)) as connection:
        requests = [greeting(), create, read, ping]
        connection.socket.sendall(b"".join(frames.int32(len(f)) + f for f in requests))
        assert len(connection.receive_frame()) == 37
        xids: list[int] = []
        while len(xids) < 3:
            (xid, _zxid, error) = struct.unpack_from(">iqi", connection.receive_frame())
            assert error == 0
            xids.append(xid)
        # A ping may overtake: it has an xid of its own and clients take its reply at any point.
        assert [xid for xid in xids if xid != frames.PING_XID] == [1, 2]


def test_05_replies_come_in_order_and_no_event_after_a_reply_that_shows_its_change(
    probe: Probe, other: Probe, base: str
) -> None:
    probe.get(base, watch=True)
    sent = [probe.send(frames.SET_DATA, frames.text(base) + frames.buffer(b"own") + b"\xff" * 4)]
    for n in range(200):
        if n % 3 == 0:
            body = frames.create_body(f"{base}/{n}", b"", 0)
            sent.append(probe.send(frames.CREATE, body))
        elif n % 3 == 1:
            sent.append(probe.send(frames.GET_DATA, frames.text(base) + b"\0"))
        else:
            sent.append(probe.send(frames.EXISTS, frames.text("/missing") + b"\0"))
    other.set(base, b"by another")
    received = [probe.receive() for _ in range(1 + len(sent))]
    assert [r.xid for r in received if r.xid != frames.NOTIFICATION_XID] == sent
    # The own write's notification precedes the reply of that write, the first of all.
    assert received[0].xid == frames.NOTIFICATION_XID


def test_16_closing_ends_ephemerals_at_once_and_a_lost_link_only_after_the_timeout(
    ensemble: Ensemble, probe: Probe, base: str
) -> None:
    closing = Probe(ensemble.address(ensemble.leader()))
    closing.create(base + "/a", flags=frames.EPHEMERAL)
    with Probe(ensemble.address(ensemble.leader())) as watcher:
        watcher.try_exists(base + "/a", watch=True)
        reply = closing.close_session()
        assert reply.error == 0
        assert closing.is_closed_by_server()
        assert watcher.try_exists(base + "/a").error == frames.NO_NODE
        assert [(e.type, e.path) for e in watcher.take_events()] == [(frames.DELETED, base + "/a")]
    closing.drop()

    dropped = Probe(ensemble.address(ensemble.leader()), timeout_ms=2 * ensemble.tick_ms)
    timeout = dropped.session.timeout_ms / 1000
    dropped.create(base + "/b", flags=frames.EPHEMERAL)
    probe.sync()
    probe.try_exists(base + "/b", watch=True)
    started = time.monotonic()
    dropped.ping()
    dropped.drop()
    assert probe.wait_event().path == base + "/b"
    waited = time.monotonic() - started
    assert timeout <= waited  # and not for ever: the probe's patience is bounded


def test_17_after_a_reattach_the_old_connection_does_nothing_more(
    ensemble: Ensemble, probe: Probe, base: str
) -> None:
    first, second = ensemble.followers()[0], ensemble.leader()
    for old_home, new_home in ((first, first), (first, second), (second, first)):
        old = Probe(ensemble.address(old_home))
        with Probe(ensemble.address(new_home), session=old.session) as new:
            assert new.session.id == old.session.id
            if old_home == new_home:
                assert old.is_closed_by_server()
            else:
                # Elsewhere the old replica may learn of the move by the request it gets.
                with pytest.raises((ClosedError, ConnectionError, AssertionError)):
                    old.set(base, b"by the old connection")
            probe.sync()
            assert probe.get(base)[0] == b""
        old.drop()


def test_18_header_zxids_never_decrease_and_auth_replies_carry_none(
    probe: Probe, other: Probe, base: str
) -> None:
    last = 0
    for n in range(30):
        other.set(base, b"%d" % n)
        for reply in (probe.try_get(base), probe.try_set(base, b""), probe.try_exists("/missing")):
            assert reply.zxid > 0
            assert reply.zxid >= last
            last = reply.zxid
        stat = probe.stat(base)
        assert probe.last_zxid >= stat.mzxid
    assert probe.authenticate("digest", b"user:password").zxid == 0


def test_19_a_ping_is_answered_at_once_with_a_bare_header(probe: Probe) -> None:
    waits = []
    for _ in range(5):
        started = time.monotonic()
        reply = probe.ping()
        waits.append(time.monotonic() - started)
        assert (reply.xid, reply.error, reply.body) == (frames.PING_XID, 0, b"")
    # The median: the machine may stand still once. Who answers with the next tick takes 1 s.
    assert sorted(waits)[2] < 0.5


def test_20_auth_adds_digests_and_refuses_other_schemes_and_bad_lists(
    ensemble: Ensemble, probe: Probe, base: str
) -> None:
    for list_, error in (
        (frames.vector([]), frames.INVALID_ACL),
        (frames.vector(None), frames.INVALID_ACL),
        (frames.vector([frames.entry(31, "telepathy", "me")]), frames.INVALID_ACL),
        (frames.vector([frames.entry(31, "world", "someone")]), frames.INVALID_ACL),
        (frames.vector([frames.entry(31, "auth", None)]), frames.INVALID_ACL),
    ):
        assert probe.try_create(base + "/a", acl=list_).error == error
        assert probe.try_set_acl(base, list_).error == error
    for credential in (b"ann:secret", b"bob:secret"):
        reply = probe.authenticate("digest", credential)
        assert (reply.xid, reply.zxid, reply.error, reply.body) == (frames.AUTH_XID, 0, 0, b"")
    everybody = frames.entry(31, "auth", "")
    digests = [(31, "digest", digest("ann:secret")), (31, "digest", digest("bob:secret"))]
    for name, list_ in (
        ("/a", frames.vector([everybody, everybody])),
        ("/b", frames.vector([frames.entry(31, "auth", None)])),
    ):
        probe.create(base + name, acl=list_)
        assert sorted(probe.acl(base + name)) == digests
    with Probe(ensemble.address(1)) as stranger:
        stranger.sync()
        assert stranger.try_get(base + "/a").error == frames.NO_AUTH
        assert stranger.authenticate("telepathy", b"x").error == frames.AUTH_FAILED
        assert stranger.is_closed_by_server()
        stranger.drop()


def test_24_four_letter_words_answer_text_and_close(ensemble: Ensemble) -> None:
    assert [ensemble.ask(i, "ruok") for i in ensemble.ids] == ["imok"] * 3
    assert [ensemble.ask(i, "isro") for i in ensemble.ids] == ["rw"] * 3
    for i in ensemble.ids:
        srvr = ensemble.ask(i, "srvr")
        assert re.match(r"Zookeeper version: \S+, built on .+\n", srvr)
        assert re.search(r"^Zxid: 0x[0-9a-f]+$", srvr, re.MULTILINE)
        assert re.search(r"^Mode: (leader|follower)$", srvr, re.MULTILINE)
        assert re.search(r"^Node count: \d+$", srvr, re.MULTILINE)
        assert re.search(
            r"^Clients:\n( /\S+\[\d\]\(.*\)\n)*\n", ensemble.ask(i, "stat"), re.MULTILINE
        )
        assert re.search(
            r"^zookeeper\.version=\d+\.\d+\.\d+", ensemble.ask(i, "envi"), re.MULTILINE
        )
        metrics = ensemble.metrics(i)
        assert metrics["zk_server_state"] in ("leader", "follower")
        assert int(metrics["zk_znode_count"]) >= 4
        assert {"zk_version", "zk_avg_latency", "zk_num_alive_connections"} <= set(metrics)
    refused = "wchp is not executed because it is not in the whitelist.\n"
    assert four_letter_word(ensemble.address(1), "wchp") == refused


def test_25_null_and_empty_differ_and_bad_frames_end_as_documented(
    ensemble: Ensemble, probe: Probe, base: str
) -> None:
    for name, data in (("null", None), ("empty", b"")):
        probe.create(f"{base}/{name}", data)
        value, stat = probe.get(f"{base}/{name}")
        assert value == data
        assert stat.data_length == 0
    # kazoo sends an empty string as null.
    ephemerals = probe.call(frames.GET_EPHEMERALS, frames.text(None)).reader()
    assert ephemerals.vector(ephemerals.text) == []
    # A malformed body is an error of that request only; bytes behind a good one are ignored.
    for body in (b"", b"\0\0\0\x20/short", frames.int32(-7)):
        assert probe.call(frames.GET_DATA, body).error == frames.MARSHALLING_ERROR
    assert probe.call(frames.GET_DATA, frames.text(base) + b"\0" + b"more").error == 0
    reply = probe.call(77)
    assert (reply.zxid, reply.error) == (-1, frames.UNIMPLEMENTED)
    assert probe.is_closed_by_server()
    for length in (-1, -(2**31), 1_048_576, 2**31 - 1):
        with Probe(ensemble.address(1)) as bad:
            bad.socket.sendall(frames.int32(length) + b"x" * 64)
            assert bad.is_closed_by_server()
            bad.drop()


def test_25_a_body_cut_short_is_an_error_of_that_request_only(ensemble: Ensemble) -> None:
    codes = [
        *range(frames.CREATE, frames.SYNC + 1),
        frames.GET_CHILDREN2,
        *range(frames.MULTI, frames.MULTI_READ + 1),
        *range(frames.SET_WATCHES, frames.ADD_WATCH + 1),
    ]
    codes.remove(frames.DELETE_CONTAINER)
    codes.remove(frames.SASL)
    # coord answers ReconfigDisabled before it reads on. ZooKeeper 3.8.0 never answers, and its
    # leader answers no session's reads afterwards.
    codes.remove(frames.RECONFIG)
    with Probe(ensemble.address(ensemble.followers()[0])) as probe:
        for code in codes:
            for body in (b"", b"\0\0", b"\0\0\0\x7f/abc"):
                assert probe.call(code, body).error == frames.MARSHALLING_ERROR, (code, body)
        assert probe.ping().error == 0


def test_a_session_comes_back_on_another_replica_with_its_ephemerals(
    ensemble: Ensemble, base: str
) -> None:
    first = Probe(ensemble.address(1))
    first.create(base + "/a", flags=frames.EPHEMERAL)
    first.drop()
    with Probe(ensemble.address(2), session=first.session, last_zxid=first.last_zxid) as second:
        assert second.stat(base + "/a").ephemeral_owner == second.session.id
        # xids start at 1 again: they name requests of a connection, not of a session.
        assert second.try_set(base, b"second").error == 0
    with pytest.raises(RefusedError):
        Probe(ensemble.address(3), session=first.session)
