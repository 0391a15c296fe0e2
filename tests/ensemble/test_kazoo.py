"""An unmodified kazoo program runs: its recipes, watches, transactions, ACLs and sessions."""

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    CancelledError,
    LockTimeout,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.protocol.states import EventType
from kazoo.recipe.cache import TreeCache
from kazoo.security import make_digest_acl

from tests.ensemble.processes import wait_for
from tests.ensemble.servers import Ensemble

SECONDS = 10

Connect = Callable[..., KazooClient]


@pytest.fixture
def connect(ensemble: Ensemble) -> Iterator[Connect]:
    """Opens kazoo clients, each at another replica first; they are closed at the end."""
    with ExitStack() as stack:

        def opened(**options: object) -> KazooClient:
            client = KazooClient(ensemble.hosts, **options)
            client.start(timeout=SECONDS)
            stack.callback(client.close)
            stack.callback(client.stop)
            return client

        yield opened


@pytest.fixture
def zk(connect: Connect) -> KazooClient:
    return connect()


def background(body: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=body, args=arguments, daemon=True)
    thread.start()
    return thread


def test_a_lock_is_held_by_one_and_passed_on_in_order(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    first = zk.Lock(base + "/lock", "first")
    second = connect().Lock(base + "/lock", "second")
    order: queue.SimpleQueue[str] = queue.SimpleQueue()
    with first:
        with pytest.raises(LockTimeout):
            second.acquire(timeout=0.2)
        assert not second.acquire(blocking=False)

        def wait() -> None:
            with second:
                order.put("second")

        waiting = background(wait)
        wait_for(lambda: len(first.contenders()) == 2, seconds=SECONDS, what="a second contender")
        assert first.contenders() == ["first", "second"]
        order.put("first")
    assert [order.get(timeout=SECONDS), order.get(timeout=SECONDS)] == ["first", "second"]
    waiting.join(SECONDS)


def test_read_locks_share_and_a_write_lock_excludes(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    other = connect()
    readers = [zk.ReadLock(base + "/lock"), other.ReadLock(base + "/lock")]
    assert all(reader.acquire(timeout=SECONDS) for reader in readers)
    writer = zk.WriteLock(base + "/lock")
    assert not writer.acquire(blocking=False)
    for reader in readers:
        reader.release()
    assert writer.acquire(timeout=SECONDS)
    writer.release()


def test_a_cancelled_lock_leaves_no_contender(zk: KazooClient, connect: Connect, base: str) -> None:
    lock = connect().Lock(base + "/lock")
    outcome: queue.SimpleQueue[type] = queue.SimpleQueue()
    with zk.Lock(base + "/lock"):

        def wait() -> None:
            try:
                lock.acquire()
            except CancelledError as error:
                outcome.put(type(error))

        background(wait)
        contenders = base + "/lock"
        wait_for(lambda: len(zk.get_children(contenders)) == 2, seconds=SECONDS, what="a contender")
        lock.cancel()
        assert outcome.get(timeout=SECONDS) is CancelledError
        zk.sync(contenders)
        assert len(zk.get_children(contenders)) == 1


def test_an_election_runs_one_leader_after_the_other(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    leading: queue.SimpleQueue[str] = queue.SimpleQueue()
    clients = {name: connect() for name in ("ann", "bob", "cat")}
    running = threading.Lock()

    def lead(name: str) -> None:
        assert running.acquire(blocking=False), "two lead at once"
        leading.put(name)
        running.release()

    threads = [
        background(client.Election(base + "/e", name).run, lead, name)
        for name, client in clients.items()
    ]
    assert {leading.get(timeout=SECONDS) for _ in clients} == set(clients)
    for thread in threads:
        thread.join(SECONDS)
    assert zk.Election(base + "/e").contenders() == []


def test_a_party_knows_its_members_until_they_leave(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    other = connect()
    for kind in ("Party", "ShallowParty"):
        ann = getattr(zk, kind)(f"{base}/{kind}", "ann")
        bob = getattr(other, kind)(f"{base}/{kind}", "bob")
        ann.join()
        bob.join()
        other.sync(base)
        assert sorted(bob) == ["ann", "bob"]
        ann.leave()
        other.sync(base)
        assert list(bob) == ["bob"]
        bob.leave()


def test_a_counter_counts_every_change_of_every_client(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    def count(client: KazooClient) -> None:
        counter = client.Counter(base + "/counter")
        for _ in range(10):
            counter += 2
            counter -= 1

    threads = [background(count, connect()) for _ in range(3)]
    for thread in threads:
        thread.join(SECONDS)
    zk.sync(base)
    assert zk.Counter(base + "/counter").value == 30


def test_a_semaphore_has_as_many_leases_as_it_says(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    semaphores = [client.Semaphore(base + "/s", max_leases=2) for client in (zk, connect(), zk)]
    assert semaphores[0].acquire(timeout=SECONDS)
    assert semaphores[1].acquire(timeout=SECONDS)
    assert not semaphores[2].acquire(blocking=False)
    semaphores[0].release()
    assert semaphores[2].acquire(timeout=SECONDS)
    for semaphore in semaphores[1:]:
        semaphore.release()


def test_a_barrier_holds_everybody_until_it_is_removed(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    barrier = zk.Barrier(base + "/barrier")
    barrier.create()
    other = connect()
    other.sync(base)
    passed: queue.SimpleQueue[bool] = queue.SimpleQueue()
    assert not other.Barrier(base + "/barrier").wait(0.1)
    background(lambda: passed.put(other.Barrier(base + "/barrier").wait(SECONDS)))
    assert barrier.remove()
    assert passed.get(timeout=SECONDS)


def test_a_double_barrier_lets_all_in_and_out_together(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    steps: list[str] = []

    def work(client: KazooClient) -> None:
        barrier = client.DoubleBarrier(base + "/double", num_clients=3)
        steps.append("comes")
        barrier.enter()
        steps.append("is in")
        barrier.leave()
        steps.append("is out")

    threads = [background(work, connect()) for _ in range(3)]
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert steps == ["comes"] * 3 + ["is in"] * 3 + ["is out"] * 3


def test_queues_hand_out_each_entry_once_and_by_priority(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    plain = zk.Queue(base + "/queue")
    for value, priority in ((b"late", 200), (b"first", 1), (b"second", 1)):
        plain.put(value, priority=priority)
    assert len(plain) == 3
    assert [plain.get() for _ in range(4)] == [b"first", b"second", b"late", None]

    giver, taker = zk.LockingQueue(base + "/locking"), connect().LockingQueue(base + "/locking")
    giver.put_all([b"a", b"b"])
    assert giver.get(SECONDS) == b"a"
    assert taker.get(SECONDS) == b"b"
    taker.release()
    assert taker.get(SECONDS) == b"b"
    assert giver.consume()
    assert taker.consume()
    assert giver.get(0.1) is None


def test_a_data_watch_sees_the_node_come_change_and_go(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    seen: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    zk.DataWatch(base + "/node", lambda data, _stat: seen.put(data))
    assert seen.get(timeout=SECONDS) is None
    other = connect()
    other.create(base + "/node", b"one")
    assert seen.get(timeout=SECONDS) == b"one"
    other.set(base + "/node", b"two")
    assert seen.get(timeout=SECONDS) == b"two"
    other.delete(base + "/node")
    assert seen.get(timeout=SECONDS) is None


def test_a_children_watch_sees_the_children_come_and_go(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    seen: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    zk.ChildrenWatch(base, lambda children: seen.put(sorted(children)))
    assert seen.get(timeout=SECONDS) == []
    other = connect()
    other.create(base + "/a")
    assert seen.get(timeout=SECONDS) == ["a"]
    other.create(base + "/b", ephemeral=True)
    assert seen.get(timeout=SECONDS) == ["a", "b"]
    other.stop()
    assert seen.get(timeout=SECONDS) == ["a"]


def test_a_tree_cache_follows_the_tree(connect: Connect, zk: KazooClient, base: str) -> None:
    other = connect()
    other.create(base + "/a", b"1")
    zk.sync(base)
    cache = TreeCache(zk, base)
    kinds: queue.SimpleQueue[int] = queue.SimpleQueue()
    cache.listen(lambda event: kinds.put(event.event_type))
    cache.start()
    while cache.get_data(base + "/a") is None:
        kinds.get(timeout=SECONDS)
    other.create(base + "/b/c", b"2", makepath=True)
    while cache.get_data(base + "/b/c") is None:
        kinds.get(timeout=SECONDS)
    assert cache.get_children(base) == {"a", "b"}
    cache.close()


def test_a_transaction_happens_whole_or_not_at_all(zk: KazooClient, base: str) -> None:
    transaction = zk.transaction()
    transaction.create(base + "/a", b"1")
    transaction.create(base + "/s-", b"", sequence=True)
    transaction.set_data(base + "/a", b"2", version=0)
    transaction.check(base + "/a", version=1)
    path, sequential, stat, checked = transaction.commit()
    assert (path, sequential, checked) == (base + "/a", base + "/s-0000000001", True)
    assert stat.version == 1
    failing = zk.transaction()
    failing.create(base + "/b", b"")
    failing.check(base + "/a", version=7)
    failing.delete(base + "/a")
    results = [type(result) for result in failing.commit()]
    assert results == [RolledBackError, BadVersionError, RuntimeInconsistency]
    assert sorted(zk.get_children(base)) == ["a", "s-0000000001"]


def test_digest_acls_open_to_those_who_know_the_password(
    connect: Connect, zk: KazooClient, base: str
) -> None:
    acl = make_digest_acl("ann", "secret", all=True)
    zk.create(base + "/a", b"hidden", acl=[acl])
    with pytest.raises(NoAuthError):
        zk.get(base + "/a")
    friend = connect(auth_data=[("digest", "ann:secret")])
    friend.sync(base)
    assert friend.get(base + "/a")[0] == b"hidden"
    assert friend.get_acls(base + "/a")[0] == [acl]
    with pytest.raises(NoAuthError):
        zk.get_acls(base + "/a")
    zk.add_auth("digest", "ann:secret")
    assert zk.get(base + "/a")[0] == b"hidden"
    zk.set_acls(base + "/a", [make_digest_acl("bob", "other", all=True)])
    with pytest.raises(NoAuthError):
        zk.set(base + "/a", b"")


def test_ephemeral_and_sequential_nodes(connect: Connect, zk: KazooClient, base: str) -> None:
    owner = connect()
    names = [owner.create(base + "/n-", ephemeral=True, sequence=True) for _ in range(3)]
    assert names == [f"{base}/n-{n:010d}" for n in range(3)]
    zk.sync(base)
    assert zk.exists(names[0]).owner_session_id == owner.client_id[0]
    zk.create(base + "/p-", sequence=True)
    owner.stop()
    zk.sync(base)
    assert zk.get_children(base) == ["p-0000000003"]


def test_the_errors_of_everyday_calls(zk: KazooClient, base: str) -> None:
    zk.ensure_path(base + "/a/b")
    with pytest.raises(NodeExistsError):
        zk.create(base + "/a")
    with pytest.raises(NoNodeError):
        zk.get(base + "/none")
    with pytest.raises(NotEmptyError):
        zk.delete(base + "/a")
    with pytest.raises(BadVersionError):
        zk.set(base + "/a", b"x", version=7)
    zk.delete(base + "/a", recursive=True)
    assert zk.exists(base + "/a") is None
    path, stat = zk.create(base + "/c", b"x", include_data=True)
    assert (path, stat.data_length) == (base + "/c", 1)
    assert zk.command(b"ruok") == "imok"
    assert zk.server_version()[0] == 3


VICTIM = """
import sys, threading
from kazoo.client import KazooClient
ended = threading.Event()
def listen(state):
    print(state, flush=True)
    if state == "LOST":
        ended.set()
zk = KazooClient(sys.argv[1], timeout=float(sys.argv[2]))
zk.add_listener(listen)
zk.start()
zk.create(sys.argv[3], ephemeral=True)
print("created", flush=True)
ended.wait()
"""


def test_a_session_that_falls_silent_expires_as_a_second_client_sees(
    ensemble: Ensemble, zk: KazooClient, base: str
) -> None:
    timeout = 2 * ensemble.tick_ms / 1000
    gone: queue.SimpleQueue[str] = queue.SimpleQueue()
    arguments = [sys.executable, "-c", VICTIM, ensemble.hosts, str(timeout), base + "/a"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as victim:
        try:
            assert victim.stdout is not None
            assert [victim.stdout.readline() for _ in range(2)] == ["CONNECTED\n", "created\n"]
            zk.sync(base)
            assert zk.exists(base + "/a", watch=lambda event: gone.put(event.type))
            victim.send_signal(signal.SIGSTOP)
            assert gone.get(timeout=SECONDS) == EventType.DELETED
            victim.send_signal(signal.SIGCONT)
            # It sees the closed connection first, and that its session is over when it is back.
            assert victim.stdout.read().split() == ["SUSPENDED", "LOST"]
        finally:
            victim.kill()
