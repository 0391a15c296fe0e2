"""Replies that take long: built in slices, in their place, while others are served."""

from struct import pack, unpack_from
from types import SimpleNamespace

import pytest

from coord import jute
from coord.operations.slices import REPLY_BYTES_MAX, SLICE_NAMES, SLICE_PATHS
from coord.replica.connections import OUTBOX_PAUSE_BYTES
from coord.replica.wide import UNDER_WAY_MAX, WIDE_MAX
from coord.replica.words import answer
from coord.state.dict_store import DictStore, ListedValues
from coord.state.record import with_children_created
from coord.wire.opcodes import OpCode
from coord.wire.records import WatcherEvent
from coord.wire.requests import (
    GetChildren2Reply,
    GetChildren2Request,
    GetChildrenReply,
    GetChildrenRequest,
    GetEphemeralsReply,
    GetEphemeralsRequest,
    SetWatchesRequest,
)
from tests.replica.served import Client, Served

MANY = 2 * SLICE_NAMES + 1
SLICES = 4  # three with names, one that finds no more
EPHEMERAL = 1


class Counted(ListedValues):
    """A listing that says how much was taken from it, and whether it is closed."""

    def __init__(self, store: "CountingStore", values: list[bytes]) -> None:
        super().__init__(values)
        self.store = store
        store.open_listings.append(self)

    def take(self, count: int) -> list[bytes]:
        taken = super().take(count)
        self.store.taken += len(taken)
        return taken

    def close(self) -> None:
        if self in self.store.open_listings:
            self.store.open_listings.remove(self)


class CountingStore(DictStore):
    """Counts the names that are read from it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self.open_listings: list[Counted] = []
        self.greatest = 0

    def children(self, path: bytes) -> list[bytes]:
        names = super().children(path)
        self.taken += len(names)
        return names

    def listing(self, path: bytes) -> Counted:
        listing = Counted(self, super().children(path))
        self.greatest = max(self.greatest, len(self.open_listings))
        return listing


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def served(store: CountingStore) -> Served:
    served = Served(store=store)
    fill(served, store, "/wide", [f"{number:05}" for number in range(MANY)])
    return served


def fill(served: Served, store: DictStore, parent: str, names: list[str]) -> None:
    """Make a node with many children, quicker than by requests."""
    owner = served.attached()
    owner.create(parent)
    served.commit()
    path = parent.encode()
    record = child = store.get(path)
    assert record is not None
    for name in names:
        record, _ = with_children_created(record, path, served.machine.zxid, 1)
        store.put(path + b"/" + name.encode(), child)
    store.put(path, record)


def children(client: Client, path: str = "/wide", *, watch: bool = False) -> int:
    return client.send(OpCode.GET_CHILDREN, GetChildrenRequest(path, watch))


def names_in(body: bytes) -> list[str]:
    return list(jute.decode_all(GetChildrenReply, body).children)


def go_on(served: Served) -> None:
    served.clients.pauses.go_on()


def finish(served: Served) -> None:
    go_on(served)
    while served.clients.pauses.wide:
        go_on(served)


def test_others_are_served_after_every_few_thousand_names(
    served: Served, store: CountingStore
) -> None:
    lister, other = served.attached(), served.attached()
    xid = children(lister)
    steps = 0
    while served.clients.pauses.wide:
        assert store.taken <= SLICE_NAMES
        store.taken = 0
        other.get("/wide")
        assert len(other.replies()) == 1
        assert lister.replies() == []
        steps += 1
        go_on(served)
    assert steps == SLICES - 1
    ((answered, error, body),) = lister.replies()
    assert (answered, error) == (xid, 0)
    assert sorted(names_in(body)) == [f"{number:05}" for number in range(MANY)]
    assert store.open_listings == []


def test_the_list_is_that_of_one_moment_and_bears_its_zxid(served: Served) -> None:
    lister, other = served.attached(), served.attached()
    zxid = served.machine.zxid
    lister.send(OpCode.GET_CHILDREN2, GetChildren2Request("/wide", watch=False))
    other.create("/wide/later")
    other.send(OpCode.DELETE, None)  # malformed: changes nothing
    served.commit()
    finish(served)
    (frame,) = lister.received_frames()
    assert unpack_from(">q", frame, 4) == (zxid,)
    reply = jute.decode_all(GetChildren2Reply, frame[16:])
    assert sorted(reply.children) == [f"{number:05}" for number in range(MANY)]
    assert reply.stat.num_children == MANY


def test_a_change_after_that_moment_is_heard_behind_the_list(served: Served) -> None:
    lister, other = served.attached(), served.attached()
    xid = children(lister, watch=True)
    other.create("/wide/later")
    served.commit()
    assert lister.replies() == []
    finish(served)
    assert lister.xids() == [xid, -1]


def test_pings_are_answered_meanwhile_and_all_else_waits(served: Served) -> None:
    lister = served.attached()
    first = children(lister)
    second = lister.set("/wide", b"new")
    third = lister.get("/wide")
    fourth = lister.sync()
    lister.send(OpCode.PING, xid=-2)
    assert served.clients.origin.pending_bytes == 0
    assert lister.xids() == [-2]
    finish(served)
    assert lister.xids() == [first]
    served.commit()
    replies = lister.replies()
    assert [xid for xid, _, _ in replies] == [second, third]
    assert replies[1][2].startswith(pack(">i", 3) + b"new")
    token = served.clients.barriers.ask(0)
    assert token is not None
    served.clients.barriers.confirmed(token, 1)
    for slot, body in served.clients.barriers.passed(1):
        served.clients.barrier_passed(slot, body)
    assert lister.xids() == [fourth]


def test_what_was_asked_behind_an_own_write_keeps_its_order_among_events(served: Served) -> None:
    client, other = served.attached(), served.attached()
    client.exists("/event", watch=True)
    client.replies()
    expected = [client.set("/wide", b"1"), children(client), client.set("/wide", b"2")]
    expected += [client.get("/wide"), -1]
    other.create("/event")
    expected.append(client.set("/wide", b"3"))
    served.commit()
    finish(served)
    assert client.xids() == expected


def test_a_second_list_is_begun_when_the_client_has_taken_the_first(
    served: Served, store: CountingStore
) -> None:
    long = "n" * (OUTBOX_PAUSE_BYTES // SLICE_NAMES)
    fill(served, store, "/long", [f"{number:05}{long}" for number in range(SLICE_NAMES + 1)])
    lister = served.attached()
    first, second = children(lister, "/long"), children(lister, "/long")
    finish(served)
    assert not served.clients.pauses.wide
    assert lister.xids() == [first]
    lister.connection.outbox_bytes = 0  # as the driver says when all is sent
    go_on(served)
    finish(served)
    assert lister.xids() == [second]
    assert lister.connection in served.clients.pauses.waiting
    lister.connection.outbox_bytes = 0
    go_on(served)
    assert not served.clients.pauses.are_due
    assert not lister.connection.parking


def test_a_connection_that_closes_drops_its_slices(served: Served, store: CountingStore) -> None:
    lister, cut = served.attached(), served.attached()
    children(lister)
    children(cut)
    assert len(store.open_listings) == 2
    served.clients.closed(lister.connection)
    cut.connection.abort()
    assert store.open_listings == []
    served.clients.closed(cut.connection)
    finish(served)
    assert not served.clients.pauses.are_due


def test_an_end_of_the_session_behind_a_list_waits_for_it(served: Served) -> None:
    lister = served.attached()
    listed = children(lister)
    ended = lister.send(OpCode.CLOSE_SESSION)
    finish(served)
    served.commit()
    assert lister.xids() == [listed, ended]
    assert lister.is_cut


def test_a_client_with_many_lists_behind_its_own_writes_is_cut(
    served: Served, store: CountingStore
) -> None:
    client = served.attached()
    client.set("/wide", b"1")
    for _ in range(WIDE_MAX + 1):
        children(client)
    served.commit()
    assert client.is_cut
    assert store.open_listings == []


def test_so_many_lists_are_under_way_at_once_and_all_are_answered(
    served: Served, store: CountingStore
) -> None:
    clients = [served.attached() for _ in range(UNDER_WAY_MAX + 5)]
    for client in clients:
        children(client)
    assert len(store.open_listings) == UNDER_WAY_MAX
    finish(served)
    assert [len(client.xids()) for client in clients] == [1] * len(clients)
    assert store.greatest == UNDER_WAY_MAX


def test_a_short_list_does_not_wait_for_a_long_one(served: Served, store: CountingStore) -> None:
    long, short = served.attached(), served.attached()
    fill(served, store, "/short", [str(number) for number in range(SLICE_NAMES + 1)])
    children(long)
    children(short, "/short")
    while not short.xids():
        go_on(served)
    assert long.xids() == []
    finish(served)
    assert len(long.xids()) == 1


class LongNames(DictStore):
    """Says that names are very long."""

    def listing(self, path: bytes) -> ListedValues:
        names = super().children(path)
        return ListedValues([b"n" * (REPLY_BYTES_MAX // SLICE_NAMES)] * len(names))


def test_a_list_that_is_too_long_to_be_kept_is_refused_and_the_connection_goes_on() -> None:
    store = LongNames()
    served = Served(store=store)
    fill(served, store, "/wide", [str(number) for number in range(SLICE_NAMES + 1)])
    client = served.attached()
    xid = children(client)
    finish(served)
    assert client.replies() == [(xid, -5, b"")]
    client.get("/")
    assert len(client.replies()) == 1


def test_set_watches_on_many_paths_tells_what_was_missed_before_its_reply(served: Served) -> None:
    client, other = served.attached(), served.attached()
    paths = tuple(f"/wide/{number:05}" for number in range(3 * SLICE_PATHS))
    client.send(OpCode.SET_WATCHES, SetWatchesRequest(0, paths, (), ()), xid=-8)
    later = client.get("/wide")
    assert len(client.replies()) == SLICE_PATHS
    other.set("/wide", b"new")
    served.commit()
    while served.clients.pauses.wide:
        go_on(served)
    replies = client.replies()
    assert [xid for xid, _, _ in replies] == [-1] * (2 * SLICE_PATHS) + [-8, later]
    told = {jute.decode(WatcherEvent, body)[0].path for xid, _, body in replies if xid == -1}
    assert told == set(paths[SLICE_PATHS:])


def test_the_word_dump_lists_very_many_ephemerals_in_slices() -> None:
    served = Served()
    owner = served.attached()
    for number in range(2 * SLICE_NAMES):
        owner.create(f"/e{number:05}", flags=EPHEMERAL)
    served.commit()
    served.attached()
    asking = served.client()
    pages = list(served.machine.ephemerals())
    assert [(session, len(paths)) for session, paths in pages] == [
        (1, SLICE_NAMES), (1, SLICE_NAMES), (2, 0),
    ]  # fmt: skip
    status = SimpleNamespace(
        sessions=lambda: ((1, 4000), (2, 4000)),
        ephemerals=served.machine.ephemerals,
        connections=(),
    )
    slices = answer("dump", status)
    served.clients.pauses.wide.begin(asking.connection, slices)
    asking.connection.finish()
    assert asking.connection.outbox == []
    finish(served)
    text = b"".join(asking.connection.outbox).decode()
    assert "Sessions with Ephemerals (1):\n0x1:\n\t/e" in text
    assert text.count("\t/e") == 2 * SLICE_NAMES


def test_very_many_ephemerals_are_listed_in_slices() -> None:
    served = Served()
    owner = served.attached()
    paths = [f"/e{number:05}" for number in range(SLICE_NAMES)]
    for path in paths:
        owner.create(path, flags=EPHEMERAL)
    served.commit()
    owner.replies()
    owner.send(OpCode.GET_EPHEMERALS, GetEphemeralsRequest("/"))
    assert served.clients.pauses.wide
    finish(served)
    ((_, _, body),) = owner.replies()
    assert sorted(jute.decode_all(GetEphemeralsReply, body).paths) == paths
