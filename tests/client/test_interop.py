"""Locks and elections shared with other libraries: kazoo, and Curator where it is installed."""

import functools
import shutil
import subprocess
from pathlib import Path

import pytest
import trio
from kazoo.client import KazooClient
from kazoo.recipe.election import Election
from kazoo.recipe.lock import Lock

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
