"""What a compatible server must reproduce, behaviours 6 to 11: watches.

Changes are made at the leader (`other`) and watched at a follower (`probe`) unless said otherwise.
"""

import pytest

from tests.ensemble import frames
from tests.ensemble.frames import CHILDREN_CHANGED, CREATED, DATA_CHANGED, DELETED
from tests.ensemble.probe import Event, Probe, Reply
from tests.ensemble.servers import Ensemble

PERSISTENT, RECURSIVE = 0, 1


def set_watches(
    probe: Probe, zxid: int, *, data: list[str], exist: list[str], child: list[str]
) -> Reply:
    lists = [frames.vector(map(frames.text, paths)) for paths in (data, exist, child)]
    body = frames.int64(zxid) + b"".join(lists)
    return probe.call(frames.SET_WATCHES, body, xid=frames.SET_WATCHES_XID)


def test_06_the_notification_precedes_any_reply_that_carries_the_change(
    probe: Probe, other: Probe, base: str
) -> None:
    for n in range(50):
        probe.sync()
        probe.get(base, watch=True)
        mzxid = other.set(base, b"%d" % n).mzxid
        while probe.get(base)[1].mzxid < mzxid:
            assert probe.take_events() == []
        assert probe.take_events() == [Event(DATA_CHANGED, base)]


def test_07_only_exists_leaves_a_watch_on_a_missing_node(
    probe: Probe, other: Probe, base: str
) -> None:
    path = base + "/later"
    for watch in (probe.try_get, probe.try_children):
        reply = watch(path, watch=True)
        assert (reply.error, reply.body) == (frames.NO_NODE, b"")
    other.create(path)
    assert probe.flush_events() == []
    other.delete(path)
    probe.sync()
    reply = probe.try_exists(path, watch=True)
    assert (reply.error, reply.body) == (frames.NO_NODE, b"")
    other.create(path)
    other.set(path, b"again")
    assert probe.flush_events() == [Event(CREATED, path)]


def test_08_one_event_for_a_node_deleted_under_a_data_and_a_child_watch(
    probe: Probe, other: Probe, base: str
) -> None:
    path = other.create(base + "/a")
    probe.sync()
    probe.get(path, watch=True)
    probe.children(path, watch=True)
    other.delete(path)
    assert probe.flush_events() == [Event(DELETED, path)]


def test_09_a_watch_fires_once_and_only_for_what_it_watches(
    probe: Probe, other: Probe, base: str
) -> None:
    path = other.create(base + "/a", b"same")
    probe.sync()
    for _ in range(10):
        probe.get(path, watch=True)
    other.set(path, b"same")
    other.set(path, b"other")
    assert probe.flush_events() == [Event(DATA_CHANGED, path)]
    # Neither a changed ACL nor a child's data is a change of the node.
    probe.get(path, watch=True)
    probe.children(base, watch=True)
    assert other.try_set_acl(path, frames.OPEN).error == 0
    assert probe.flush_events() == []
    other.set(path, b"once more")
    assert probe.flush_events() == [Event(DATA_CHANGED, path)]
    other.create(base + "/b")
    assert probe.flush_events() == [Event(CHILDREN_CHANGED, base)]


@pytest.mark.parametrize("mode", [PERSISTENT, RECURSIVE])
def test_10_persistent_watches_survive_firing_and_see_what_their_mode_says(
    probe: Probe, other: Probe, base: str, mode: int
) -> None:
    path = base + "/a"
    reply = probe.add_watch(path, mode)
    assert (reply.error, reply.body) == (0, bytes(4))
    for _ in range(2):
        other.create(path)
        other.create(path + "/b")
        other.create(path + "/b/c")
        other.set(path + "/b", b"x")
        other.set(path, b"x")
        for below in ("/b/c", "/b", ""):
            other.delete(path + below)
        events = probe.flush_events()
        if mode == PERSISTENT:
            changes = [CREATED, CHILDREN_CHANGED, DATA_CHANGED, CHILDREN_CHANGED, DELETED]
            assert events == [Event(change, path) for change in changes]
        else:
            assert [(event.type, event.path[len(path) :]) for event in events] == [
                (CREATED, ""),
                (CREATED, "/b"),
                (CREATED, "/b/c"),
                (DATA_CHANGED, "/b"),
                (DATA_CHANGED, ""),
                (DELETED, "/b/c"),
                (DELETED, "/b"),
                (DELETED, ""),
            ]


def test_10_an_unknown_mode_of_watch_is_an_error(probe: Probe, base: str) -> None:
    assert probe.add_watch(base, 2).error == frames.MARSHALLING_ERROR


def test_11_set_watches_tells_what_was_missed_before_its_reply(
    probe: Probe, other: Probe, base: str
) -> None:
    for name in ("changed", "same", "gone", "parent", "quiet"):
        other.create(f"{base}/{name}")
    other.create(base + "/quiet/child")
    ephemeral = Probe(other.socket.getpeername())
    ephemeral.create(base + "/parent/child", flags=frames.EPHEMERAL)
    seen = other.set(base, b"seen").mzxid
    other.set(base + "/changed", b"x")
    other.delete(base + "/gone")
    other.create(base + "/new")
    ephemeral.close_session()  # moves pzxid of /parent
    ephemeral.drop()
    probe.sync()
    reply = set_watches(
        probe,
        seen,
        data=[f"{base}/{name}" for name in ("changed", "same", "gone")],
        exist=[f"{base}/{name}" for name in ("new", "none")],
        child=[f"{base}/{name}" for name in ("parent", "quiet", "gone")],
    )
    assert (reply.xid, reply.error, reply.body) == (frames.SET_WATCHES_XID, 0, b"")
    due = [(e.type, e.path[len(base) + 1 :]) for e in probe.take_events()]
    assert sorted(set(due)) == [
        (CREATED, "new"),
        (DELETED, "gone"),
        (DATA_CHANGED, "changed"),
        (CHILDREN_CHANGED, "parent"),
    ]
    # What was not due is watched now; a second batch in a row is allowed.
    set_watches(probe, seen, data=[], exist=[], child=[base + "/parent/none"])
    probe.take_events()
    other.set(base + "/same", b"x")
    other.create(base + "/none")
    other.delete(base + "/quiet/child")
    assert probe.flush_events() == [
        Event(DATA_CHANGED, base + "/same"),
        Event(CREATED, base + "/none"),
        Event(CHILDREN_CHANGED, base + "/quiet"),
    ]


def test_a_watch_can_be_asked_for_and_removed(probe: Probe, other: Probe, base: str) -> None:
    def ask(code: int, kind: int) -> int:
        return probe.call(code, frames.text(base) + frames.int32(kind)).error

    children, data, any_kind = 1, 2, 3
    for kind in (children, data, any_kind):
        assert ask(frames.CHECK_WATCHES, kind) == frames.NO_WATCHER
        assert ask(frames.REMOVE_WATCHES, kind) == frames.NO_WATCHER
    probe.get(base, watch=True)
    assert ask(frames.CHECK_WATCHES, data) == 0
    assert ask(frames.CHECK_WATCHES, children) == frames.NO_WATCHER
    assert ask(frames.REMOVE_WATCHES, any_kind) == 0
    assert ask(frames.REMOVE_WATCHES, data) == frames.NO_WATCHER
    other.set(base, b"x")
    assert probe.flush_events() == []
    assert ask(frames.REMOVE_WATCHES, 9) == frames.MARSHALLING_ERROR


def test_an_event_of_a_node_that_may_not_be_read_is_not_delivered(
    ensemble: Ensemble, probe: Probe, other: Probe, base: str
) -> None:
    if ensemble.kind == "zookeeper":
        pytest.skip("ZooKeeper delivers such events up to 3.8.3 (CVE-2024-23944)")
    path = other.create(base + "/a")
    probe.sync()
    probe.get(path, watch=True)
    unreadable = frames.vector([frames.entry(frames.WRITE, "world", "anyone")])
    assert other.try_set_acl(path, unreadable).error == 0
    other.set(path, b"hidden")
    assert probe.flush_events() == []
