"""A program of a user: what mypy makes of it, in strict mode, is what users get to see.

`assert_type` says which type each name must have. `test_usage.py` also runs it.
"""

from typing import assert_type

import attrs

import client
from client import Call, Client, ClientConfig, Instrument, Stat, Tls, Znode


@attrs.frozen
class Settings:
    rate: float
    name: str = "app"


class Slow(Instrument):
    """Remembers what took long."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def reply(self, call: Call, error: int | None, seconds: float) -> None:
        if seconds > 1:
            self.found.append(f"{call.opcode.name} {call.path}")


def configuration() -> ClientConfig:
    config = ClientConfig(
        "one:1,two:2/app", session_timeout="6s", auth=[("digest", "ann:secret")], when_away="fail"
    )
    assert_type(config.session_timeout, float)
    assert_type(config.tls, Tls | None)
    assert_type(ClientConfig.from_url("zk://one:1/app?timeout=6s"), ClientConfig)
    return config


async def znodes(zk: Client) -> None:
    assert_type(await zk.create("/a", b"1", makepath=True), str)
    path, made = await zk.create("/a/n-", sequence=True, include_data=True)
    assert_type(path, str)
    assert_type(made, Stat)
    data, stat = await zk.get("/a")
    assert_type(data, bytes)
    assert_type(await zk.get("/a"), Znode)
    assert_type(await zk.exists("/a"), Stat | None)
    assert_type(await zk.set("/a", data + b"!", stat.version), Stat)
    assert_type(await zk.get_children("/a"), list[str])
    assert_type(await zk.get_acls("/a"), tuple[list[client.Acl], Stat])
    assert_type(stat.mtime.year, int)
    await zk.delete("/a", recursive=True)


async def several(zk: Client) -> None:
    async with zk.transaction() as both:
        both.create("/a", b"1")
        both.check("/a", 0)
    assert_type(both.results, list[str | Stat | None])
    async with zk.batch() as batch:
        read = batch.get("/a")
        names = batch.get_children("/")
        there = batch.exists("/b")
    assert_type(read.result(), Znode)
    assert_type(names.result(), list[str])
    assert_type(there.result(), Stat | None)


async def watches(zk: Client) -> None:
    async for znode in zk.watch("/a"):
        assert_type(znode, Znode | None)
        break
    async for names in zk.watch_children("/"):
        assert_type(names, list[str] | None)
        break
    async for event in zk.events("/a", recursive=True):
        assert_type(event, client.Event | client.Resynced)
        break
    async for tree in zk.watch_tree("/a"):
        assert_type(tree, client.Tree)
        break
    async with zk.cache("/a") as cache:
        assert_type(cache["/"], Znode)
        assert_type(cache.zxid, int)
        assert_type(cache.stale_since, float | None)
    await zk.create("/settings", b'{"rate": 2.5}')
    async for settings in zk.config("/settings", Settings):
        assert_type(settings, Settings | client.BadConfig[Settings])
        break


async def locks(zk: Client) -> None:
    async with zk.lock("/locks/x", b"me") as held:
        assert_type(held, client.Held)
        assert_type(held.token, int)
        async with zk.transaction() as guarded:
            guarded.add(held.guard())
            guarded.set_data("/a", b"2")
    async with zk.read_lock("/locks/rw") as reading:
        assert_type(reading, client.ReadHeld)
    async with zk.semaphore("/locks/some", 2) as permit:
        assert_type(permit, client.Held)
    async with zk.lead("/svc", b"me") as term:
        assert_type(term, client.Term)
    async for leader in zk.observe("/svc"):
        assert_type(leader, client.Leader | None)
        break
    assert_type(await zk.describe_lock("/locks/x"), client.LockDescription)


async def values(zk: Client) -> None:
    await zk.create("/count", b"0")
    assert_type(await zk.counter("/count").add(2), int)
    assert_type(await zk.value("/count").get(), bytes)


async def groups(zk: Client) -> None:
    assert_type(zk.barrier("/gate"), client.Barrier)
    async with zk.double_barrier("/phase", 1) as together:
        assert_type(together, client.Round)
    async with zk.member("/workers", b"idle", name="one") as member:
        assert_type(member, client.Member)
    async with zk.lease("/lease", 60) as lease:
        assert_type(lease, client.Lease)
    queue = zk.queue("/jobs")
    assert_type(queue, client.WorkQueue)
    await queue.put(b"1")
    async with queue.claim() as claim:
        assert_type(claim, client.Claim)
        assert_type(claim.data, bytes)


def state(zk: Client) -> str:
    match zk.state:
        case client.State.CONNECTED | client.State.READ_ONLY:
            return "there"
        case client.State.AWAY | client.State.EXPIRED | client.State.CLOSED:
            return "gone"
