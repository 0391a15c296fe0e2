"""The test kit: what its verbs do to clients and replicas, and that one seed is one run."""

import ast
import logging
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

import client
import client.testing
from client.testing import Ensemble
from coord.wire.numbers import OpCode

ROOT = Path(__file__).resolve().parents[2]


def run(body: Callable[[Ensemble], Awaitable[None]], **options: object) -> float:
    """Run something on an ensemble of its own; return the time it took on the clock that jumps."""

    async def main() -> float:
        with trio.fail_after(300):
            async with client.testing.ensemble(**options) as servers:
                await body(servers)
        return trio.current_time()

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


# ------------------------------------------------------------------------------------ the example


def test_the_example_of_the_documentation_runs_as_it_stands(tmp_path: Path) -> None:
    text = ast.get_docstring(ast.parse(Path(client.testing.__file__).read_text())) or ""
    example = textwrap.dedent(text[text.index("    import client") : text.index("The verbs")])
    (tmp_path / "conftest.py").write_text("from tests.pure import run_sources\n\nrun_sources()\n")
    (tmp_path / "test_example.py").write_text(example)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\nfilterwarnings = error\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


async def test_a_session_of_30_s_expires_in_milliseconds(servers: Ensemble) -> None:
    async with servers.connect(session_timeout=30) as gone, servers.connect() as zk:
        await gone.create("/e", ephemeral=True)
        servers.partition(gone)
        began, cpu_began = trio.current_time(), time.process_time()
        async with zk.watch("/e") as states:
            async for state in states:
                if state is None:
                    break
        cpu_s, took_s = time.process_time() - cpu_began, trio.current_time() - began
        print(f"{took_s:.1f} s on the clock, {cpu_s * 1000:.0f} ms of CPU")
        assert 20 <= took_s <= 32
        assert cpu_s < 3
        servers.heal()


# ---------------------------------------------------------------------------- one seed is one run


async def mixed_day(servers: Ensemble) -> None:
    """A bit of everything, by three clients at once."""

    async def work(zk: client.Client, name: str) -> None:
        async with zk.lock("/lock"):
            await zk.create(f"/{name}", b"x", ephemeral=True)
            await trio.sleep(0.1)

    async with (
        servers.connect() as one,
        servers.connect() as two,
        servers.connect() as three,
        trio.open_nursery() as nursery,
    ):
        for zk, name in ((one, "one"), (two, "two"), (three, "three")):
            nursery.start_soon(work, zk, name)
        servers.drop_next_reply(two, OpCode.CREATE2)
        leader = await servers.elected()
        servers.pause(leader)
        await servers.elected()
        servers.resume(leader)
        servers.cut(one, leader)
        await servers.restart(leader % 3 + 1)
        servers.heal()


def trace(caplog: pytest.LogCaptureFixture, seed: int) -> list[str]:
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "client.testing"):
        run(mixed_day, seed=seed, latency=0.002)
    return [record.getMessage() for record in caplog.records if record.name == "client.testing"]


def test_one_seed_is_one_run(caplog: pytest.LogCaptureFixture) -> None:
    first, again, other = (trace(caplog, seed) for seed in (3, 3, 4))
    assert len(first) > 100
    assert first == again
    assert first != other


# ------------------------------------------------------------------------------------------ locks


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("prove", ["sync", "ping"])
def test_a_partitioned_holder_ends_before_another_one_begins(
    prove: client.Prove, seed: int
) -> None:
    """The holder is cut off, alone or with the leader that serves it, which then leads nobody."""
    spans: list[tuple[str, float, float]] = []

    async def hold(zk: client.Client, name: str, acquired: trio.Event) -> None:
        began = trio.current_time()
        try:
            async with zk.lock("/lock", prove=prove):
                began = trio.current_time()
                acquired.set()
                await trio.sleep(40 if name == "first" else 1)
        finally:
            spans.append((name, began, trio.current_time()))

    async def body(servers: Ensemble) -> None:
        leader = await servers.elected()
        rest = [replica for replica in servers.replicas if replica != leader]
        async with (
            servers.connect(leader, prove=prove) as first,
            servers.connect(*rest) as second,
            trio.open_nursery() as nursery,
        ):
            acquired = trio.Event()
            nursery.start_soon(partial(lost, hold, first, "first", acquired))
            await acquired.wait()
            servers.partition(first, *([leader] if seed % 2 else []))
            await hold(second, "second", trio.Event())
            servers.heal()

    async def lost(work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        with pytest.raises(client.LockLost):
            await work(*arguments)

    run(body, seed=seed, latency=0.001)
    (first, _, first_ended), (second, second_began, _) = spans
    assert (first, second) == ("first", "second")
    assert first_ended < second_began


# ---------------------------------------------------------------------------------------- sessions


async def test_expire_ends_a_session_at_the_servers(servers: Ensemble) -> None:
    async with servers.connect() as zk, servers.connect() as other:
        before = zk.session
        await zk.create("/e", ephemeral=True)
        await servers.expire(zk)
        assert await other.exists("/e") is None
        await zk.sync()
        assert before.ended is not None
        assert zk.session.id != before.id


async def test_a_client_that_is_cut_off_does_not_hear_that_its_session_expired(
    servers: Ensemble,
) -> None:
    async with servers.connect() as zk:
        before = zk.session
        servers.partition(zk)
        await servers.expire(before.id)
        await trio.sleep(1)
        assert zk.session is before
        assert before.ended is None
        servers.heal(zk)
        await zk.sync()
        assert zk.session is not before


async def test_an_unbroken_session_lives_on_through_everything(servers: Ensemble) -> None:
    async with servers.connect() as zk:
        before = zk.session.id
        await zk.create("/e", ephemeral=True)
        for replica in servers.replicas:
            await servers.restart(replica)
        servers.disconnect()
        await zk.sync()
        assert zk.session.id == before
        assert await zk.exists("/e")


# ---------------------------------------------------------------------------------------- requests


async def test_the_reply_that_is_dropped_was_to_a_request_that_was_carried_out(
    servers: Ensemble,
) -> None:
    async with servers.connect() as zk, servers.connect() as other:
        dropped = servers.drop_next_reply(zk)
        await other.create("/other")
        assert not dropped.is_set()
        with pytest.raises(client.OutcomeUnknown):
            await zk.create("/q-", sequence=True)
        assert dropped.is_set()
        assert [name for name in await other.get_children("/") if name.startswith("q-")]


async def test_the_request_that_is_dropped_was_not_carried_out(servers: Ensemble) -> None:
    async with servers.connect() as zk:
        await zk.create("/a")
        dropped = servers.drop_next_request(zk, OpCode.SET_DATA)
        asked = servers.requests[OpCode.SET_DATA]
        stat = await zk.set("/a", b"1", version=0)
        assert dropped.is_set()
        assert stat.version == 1
        assert servers.requests[OpCode.SET_DATA] == asked + 2


async def test_a_request_is_refused_once(servers: Ensemble) -> None:
    async with servers.connect() as zk:
        servers.refuse_next(client.NoAuth.code, zk)
        with pytest.raises(client.NoAuth):
            await zk.create("/a")
        await zk.create("/a")


# ---------------------------------------------------------------------------------------- replicas


async def test_a_paused_leader_is_replaced_and_follows_when_it_goes_on(servers: Ensemble) -> None:
    old = await servers.elected()
    others = [replica for replica in servers.replicas if replica != old]
    async with servers.connect(*others) as zk:
        servers.pause(old)
        await zk.create("/a", b"1")
        new = await servers.elected()
        assert new != old
        servers.resume(old)
        async with servers.connect(old) as late:
            assert (await late.get("/a")).data == b"1"
        assert servers.leader == new


async def test_what_was_acknowledged_survives_the_end_of_all_replicas(servers: Ensemble) -> None:
    async with servers.connect() as zk:
        await zk.create("/a", b"1")
        for replica in servers.replicas:
            servers.stop(replica)
        assert servers.leader is None
        for replica in servers.replicas:
            servers.start(replica)
        assert (await zk.get("/a")).data == b"1"


async def test_without_a_quorum_writes_wait(servers: Ensemble) -> None:
    async with servers.connect(1) as zk:
        await zk.create("/a")
        servers.stop(2)
        servers.stop(3)
        with trio.move_on_after(3) as scope:
            await zk.set("/a", b"1")
        assert scope.cancelled_caught
        servers.start(3)
        await zk.set("/a", b"2")


async def test_a_leader_that_is_cut_off_leads_nobody(servers: Ensemble) -> None:
    old = await servers.elected()
    async with servers.connect(old) as zk:
        servers.partition(old, zk)
        with trio.move_on_after(3) as scope:
            await zk.create("/a")
        assert scope.cancelled_caught
        assert servers.leader != old
        servers.heal(old)
        await zk.sync()


def test_with_latency_a_follower_lags_until_it_is_asked_to_catch_up() -> None:
    stale: list[bool] = []

    async def body(servers: Ensemble) -> None:
        leader = await servers.elected()
        async with servers.connect(leader) as zk, servers.connect(leader % 3 + 1) as reader:
            for number in range(10):
                await zk.create(f"/{number}")
                stale.append(await reader.exists(f"/{number}") is None)
                await reader.sync()
                assert await reader.exists(f"/{number}")

    run(body, latency=0.005)
    assert any(stale)


def test_one_replica_is_an_ensemble_and_so_are_quorums_of_other_shapes() -> None:
    async def body(servers: Ensemble) -> None:
        async with servers.connect() as zk:
            await zk.create("/a")
            servers.stop(2 if servers.leader == 1 else 1)
            await zk.set("/a", b"1")

    async def alone(servers: Ensemble) -> None:
        async with servers.connect() as zk:
            await zk.create("/a")
            await servers.restart(1)
            assert await zk.exists("/a")

    run(alone, replicas=1)
    run(body, replicas=2, quorums="simple L=2 R=1")


def test_what_cannot_be_is_refused() -> None:
    async def body(servers: Ensemble) -> None:
        for verb in (servers.pause, servers.stop, servers.partition):
            with pytest.raises(ValueError, match="none of this ensemble"):
                verb(4)
        servers.stop(1)
        with pytest.raises(ValueError, match="does not run"):
            servers.stop(1)
        async with servers.connect(2, 3) as zk:
            pass
        with pytest.raises(ValueError, match="has closed"):
            servers.partition(zk)

    run(body)
    with pytest.raises(ValueError, match="1 to 255"):
        run(body, replicas=0)
    with pytest.raises(ValueError, match="quorum"):
        run(body, quorums="simple L=1 R=1")


async def test_an_exception_of_the_body_comes_out_as_it_was_raised(servers: Ensemble) -> None:
    with pytest.raises(KeyError):
        async with client.testing.ensemble():
            raise KeyError
