"""Locks and elections shared with other libraries: kazoo, and Curator where it is installed."""

import functools
import shutil
import subprocess
from pathlib import Path

import pytest
import trio
import trio.testing
from kazoo.client import KazooClient
from kazoo.recipe.election import Election
from kazoo.recipe.lock import Lock, ReadLock, Semaphore, WriteLock

import client

JAVA = Path("/usr/share/java")
JARS = ("zookeeper", "curator-recipes", "curator-framework", "curator-client", "guava", "slf4j-nop")
CLASSPATH = ":".join(str(JAVA / f"{name}.jar") for name in JARS)


@pytest.fixture
async def zk(hosts):
    async with client.connect(hosts) as connected:
        yield connected


@pytest.fixture
async def kazoo(hosts):
    theirs = KazooClient(hosts)
    await trio.to_thread.run_sync(theirs.start)
    yield theirs
    await trio.to_thread.run_sync(theirs.stop)
    await trio.to_thread.run_sync(theirs.close)


@pytest.fixture(scope="session")
def contender(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where Contender.java is compiled to."""
    if shutil.which("javac") is None or not (JAVA / "curator-recipes.jar").exists():
        pytest.skip("no Curator to contend with: javac or libcurator-recipes-java is missing")
    folder = str(tmp_path_factory.mktemp("curator"))
    source = Path(__file__).with_name("Contender.java")
    subprocess.run(["javac", "-cp", CLASSPATH, "-d", folder, str(source)], check=True)
    return folder


@pytest.fixture
async def curator(contender, hosts):
    options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{contender}:{CLASSPATH}"]
    start = functools.partial(
        trio.run_process,
        ["java", *options, "Contender", hosts],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    async with trio.open_nursery() as nursery:
        process = await nursery.start(start)
        yield Curator(process)
        await process.stdin.aclose()


class Curator:
    """A Java process that does as it is told."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process

    async def do(self, command: str) -> str:
        """Have something done, and return what it answers when it is done."""
        await self._process.stdin.send_all(command.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += await self._process.stdout.receive_some()
        return answer.decode().strip()


async def until_contended(zk: client.Client, path: str) -> None:
    async for children in zk.watch_children(path):
        if children is not None and len(children) == 2:
            return


async def test_kazoo_waits_for_our_lock_and_sees_who_holds_it(zk, kazoo):
    lock = Lock(kazoo, "/x", "theirs")
    async with trio.open_nursery() as nursery, zk.lock("/x", b"ours", layout="kazoo"):
        assert not await trio.to_thread.run_sync(lambda: lock.acquire(blocking=False))
        assert await trio.to_thread.run_sync(lock.contenders) == ["ours"]
        nursery.start_soon(trio.to_thread.run_sync, lock.acquire)
        await until_contended(zk, "/x")
        assert not lock.is_acquired
    assert lock.is_acquired


async def test_we_wait_for_kazoos_lock(zk, kazoo):
    lock = Lock(kazoo, "/x", "theirs")
    await trio.to_thread.run_sync(lock.acquire)
    with pytest.raises(trio.WouldBlock):
        async with zk.lock("/x", layout="kazoo", wait=False):
            raise AssertionError
    async with trio.open_nursery() as nursery:

        async def release() -> None:
            await until_contended(zk, "/x")
            await trio.to_thread.run_sync(lock.release)

        nursery.start_soon(release)
        async with zk.lock("/x", layout="kazoo"):
            assert "theirs" not in await trio.to_thread.run_sync(lock.contenders)


async def test_kazoo_sees_our_candidates_and_we_see_its_leader(zk, kazoo):
    election = Election(kazoo, "/svc", "theirs")
    async with zk.lead("/svc", b"ours", layout="kazoo"):
        assert await trio.to_thread.run_sync(election.contenders) == ["ours"]
    await trio.to_thread.run_sync(election.lock.acquire)
    async for leader in zk.observe("/svc", layout="kazoo"):
        assert leader.data == b"theirs"
        break


async def test_curator_and_we_exclude_each_other_and_elect_one_leader(zk, curator):
    async with trio.open_nursery() as nursery, zk.lock("/x", layout="curator"):
        assert await curator.do("try") == "false"
        nursery.start_soon(curator.do, "acquire")
        await until_contended(zk, "/x")
    with pytest.raises(trio.WouldBlock):
        async with zk.lock("/x", layout="curator", wait=False):
            raise AssertionError
    async with trio.open_nursery() as nursery:

        async def release() -> None:
            await until_contended(zk, "/x")
            await curator.do("release")

        nursery.start_soon(release)
        async with zk.lock("/x", layout="curator"):
            pass
    assert await curator.do("try") == "true"

    async with zk.lead("/svc", b"ours", layout="curator"):
        assert await curator.do("stand") == "standing"
        await until_contended(zk, "/svc")
        assert await curator.do("leader") == "ours"
    assert await curator.do("await") == "leading"
    async for leader in zk.observe("/svc", layout="curator"):
        assert leader.data == b"theirs"
        break
    assert await curator.do("leave") == "left"
    async with zk.lead("/svc", b"ours", layout="curator"):
        pass


async def is_refused(lock) -> bool:
    """Whether a lock is taken at present."""
    try:
        async with lock:
            return False
    except trio.WouldBlock:
        return True


async def test_kazoo_and_we_read_together_and_write_alone(zk, kazoo):
    reading, writing = ReadLock(kazoo, "/x", "theirs"), WriteLock(kazoo, "/x", "theirs")

    async def tries(lock: Lock) -> bool:
        is_held = await trio.to_thread.run_sync(lambda: lock.acquire(blocking=False))
        await zk.sync()
        return is_held

    async with zk.read_lock("/x", layout="kazoo") as ours:
        assert await tries(reading)
        assert not await tries(writing)
        assert await is_refused(ours.upgrade(wait=False))
        assert await is_refused(zk.write_lock("/x", layout="kazoo", wait=False))
        await trio.to_thread.run_sync(reading.release)
        async with ours.upgrade(wait=False):
            assert not await tries(reading)
    async with zk.write_lock("/x", layout="kazoo"):
        assert not await tries(reading)
        assert not await tries(writing)
    assert await tries(writing)
    assert await is_refused(zk.read_lock("/x", layout="kazoo", wait=False))
    assert await is_refused(zk.write_lock("/x", layout="kazoo", wait=False))
    async with trio.open_nursery() as nursery:

        async def release() -> None:
            await until_contended(zk, "/x")
            await trio.to_thread.run_sync(writing.release)

        nursery.start_soon(release)
        async with zk.read_lock("/x", layout="kazoo"):
            # Its `is_acquired` may be true still: it is set when kazoo hears of the deletion.
            names = await zk.get_children("/x")
            assert not any("__lock__" in name for name in names)


async def test_kazoo_and_we_share_the_permits_of_a_semaphore(zk, kazoo):
    theirs = Semaphore(kazoo, "/s", "theirs", max_leases=1)
    async with zk.semaphore("/s", 1, b"ours", layout="kazoo"):
        assert not await trio.to_thread.run_sync(lambda: theirs.acquire(blocking=False))
        assert await trio.to_thread.run_sync(theirs.lease_holders) == ["ours"]
    await trio.to_thread.run_sync(theirs.acquire)
    assert await is_refused(zk.semaphore("/s", 1, layout="kazoo", wait=False))
    await zk.set_limit("/s", 2)
    async with zk.semaphore("/s", layout="kazoo", wait=False):
        assert len(await zk.get_children("/s")) == 2


async def test_curator_and_we_share_read_locks_and_semaphores(zk, curator):
    async with zk.read_lock("/x", layout="curator") as ours:
        assert await curator.do("try read") == "true"
        assert await is_refused(ours.upgrade(wait=False))
        assert await is_refused(zk.write_lock("/x", layout="curator", wait=False))
        assert await curator.do("unread") == "released"
        assert await curator.do("try write") == "false"
        async with trio.open_nursery() as nursery, ours.upgrade(wait=False):
            nursery.start_soon(curator.do, "read")
            await trio.testing.wait_all_tasks_blocked(0.2)
    assert await curator.do("unread") == "released"
    async with zk.write_lock("/x", layout="curator"):
        assert await curator.do("try read") == "false"
        assert await curator.do("try write") == "false"
    assert await curator.do("try write") == "true"
    assert await is_refused(zk.read_lock("/x", layout="curator", wait=False))
    assert await curator.do("unwrite") == "released"

    async with zk.semaphore("/s", 1, layout="curator"):
        assert await curator.do("try permit") == "false"
    assert await curator.do("try permit") == "true"
    assert await is_refused(zk.semaphore("/s", 1, layout="curator", wait=False))
    assert await curator.do("return") == "returned"
    async with zk.semaphore("/s", 1, layout="curator", wait=False):
        pass


async def test_kazoos_counter_and_barrier_are_ours(zk, kazoo):
    theirs = kazoo.Counter("/count")

    def add_three() -> None:
        for _ in range(3):
            theirs.__add__(1)  # it counts in place

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, add_three)
        for _ in range(3):
            await zk.counter("/count").add()
    await zk.sync()
    assert await zk.counter("/count").get() == 6
    async with zk.barrier("/gate").closed():
        wait = functools.partial(kazoo.Barrier("/gate").wait, timeout=0.1)
        assert not await trio.to_thread.run_sync(wait)
    assert await trio.to_thread.run_sync(wait)
    await trio.to_thread.run_sync(kazoo.Barrier("/gate").create)
    with trio.move_on_after(0.1) as patience:
        await zk.barrier("/gate").wait()
    assert patience.cancelled_caught
    await trio.to_thread.run_sync(kazoo.Barrier("/gate").remove)
    await zk.barrier("/gate").wait()
