"""Watchers of real servers that are killed and started again: see `tests.client.changes`.

One client writes: a pair of znodes in one transaction, and a log, znodes with growing numbers of
which the oldest is deleted after a new one was created. So every state shows equal pairs and a log
without holes, and the events that create the log are without holes, unless a gap is named.
"""

import random
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

import client
from coord.wire.numbers import EventType
from tests.ensemble.servers import CoordEnsemble, Ensemble, ZooKeeperEnsemble

LOG = 10
"""Znodes in the log."""


class Watcher:
    """One client with all kinds of watchers."""

    def __init__(self, hosts: str, pause: Callable[[], float]) -> None:
        self.hosts = hosts
        self.pause = pause
        self.items = 0
        self.gaps = 0
        self.last: dict[str, Any] = {}

    async def run(self, task_status: Any) -> None:
        """Watch until cancelled."""
        async with (
            client.connect(self.hosts, session_timeout=6) as zk,
            zk.cache("/t") as cache,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(self.watch, "states", zk.watch("/t/a"), self.see_pair)
            await nursery.start(self.watch, "names", zk.watch_children("/t/log"), self.see_log)
            await nursery.start(self.watch, "tree", zk.watch_tree("/t"), self.see_tree)
            await nursery.start(self.watch, "cache", cache.states(), self.see_tree)
            for fill in (False, True):
                events = zk.events("/t", recursive=True, fill=fill)
                name = "filled events" if fill else "events"
                await nursery.start(self.watch, name, events, self.see_event)
            task_status.started()

    async def watch(
        self, name: str, items: Any, see: Callable[[str, Any], None], task_status: Any
    ) -> None:
        """Look at each item."""
        async with items:
            async for item in items:
                see(name, item)
                self.items += 1
                self.last[name] = item
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await trio.sleep(self.pause())

    def see_pair(self, name: str, znode: client.Znode) -> None:
        assert name not in self.last or self.last[name].stat.mzxid < znode.stat.mzxid

    def see_log(self, name: str, names: list[str]) -> None:
        numbers = [int(each) for each in names]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), f"{name}: {names}"
        assert len(numbers) <= LOG + 1

    def see_tree(self, name: str, tree: client.Tree) -> None:
        assert tree["/a"].data == tree["/b"].data, f"{name}: half a transaction in {tree}"
        assert name not in self.last or self.last[name].zxid <= tree.zxid
        self.see_log(name, tree.children("/log"))
        assert tree["/log"].stat.num_children == len(tree.children("/log"))

    def see_event(self, name: str, event: Any) -> None:
        if isinstance(event, client.Resynced):
            self.gaps += event.gap
            self.last[name + " number"] = None
        elif event.path.startswith("/t/log/") and event.kind == EventType.NODE_CREATED:
            before = self.last.get(name + " number")
            number = int(event.path.rpartition("/")[2])
            is_next = before is None or number == before + 1
            assert event.is_synthetic or is_next, f"{name}: {number} after {before}"
            self.last[name + " number"] = number

    async def late(self, zk: client.Client) -> list[str]:
        """Return who does not know the last state."""
        names, log = await zk.get_children("/t/log", include_data=True)
        pair = await zk.get("/t/a")
        known = {
            "states": self.last["states"] == pair,
            "names": self.last["names"] == sorted(names),
            "tree": self.last["tree"]["/log"].stat == log and self.last["tree"]["/a"] == pair,
            "cache": self.last["cache"]["/log"].stat == log and self.last["cache"]["/a"] == pair,
            "filled events": self.last["filled events number"] == int(max(names)),
        }
        return [name for name, is_known in known.items() if not is_known]


async def insist(write: Callable[[], Awaitable[object]]) -> None:
    """Write until it is known to be done; doing it twice does no harm."""
    while True:
        try:
            await write()
        except client.OutcomeUnknown:
            continue
        else:
            return


async def change(zk: client.Client, number: int) -> None:
    """Write the pair and the log."""

    async def write_pair() -> None:
        async with zk.transaction() as pair:
            pair.set_data("/t/a", b"%d" % number)
            pair.set_data("/t/b", b"%d" % number)

    await insist(write_pair)
    await insist(lambda: zk.create(f"/t/log/{number:08d}", idempotent=True))
    await insist(lambda: zk.delete(f"/t/log/{number - LOG:08d}", idempotent=True))


async def run_on_servers(kind: str, changes: int, restarts: int, seed: int) -> str:
    """Make one run on three servers; the seed says who is killed, not what else happens."""
    random.seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        cls = ZooKeeperEnsemble if kind == "zookeeper" else CoordEnsemble
        ensemble: Ensemble = await trio.to_thread.run_sync(lambda: cls(Path(folder), 3))
        with ensemble:
            return await run(ensemble, changes, restarts)


async def run(ensemble: Ensemble, changes: int, restarts: int) -> str:
    """Watch, write and restart; in the end everybody must know the last state."""
    async with client.connect(ensemble.hosts, session_timeout=6) as zk:
        for path in ("/t", "/t/a", "/t/b", "/t/log"):
            await zk.create(path)
        for number in range(LOG):
            await zk.create(f"/t/log/{number:08d}")
        watchers = [
            Watcher(ensemble.hosts, lambda: 0),
            Watcher(ensemble.hosts, lambda: random.uniform(0, 0.02)),
        ]
        async with trio.open_nursery() as nursery:
            for watcher in watchers:
                await nursery.start(watcher.run)
            async with trio.open_nursery() as restarting:
                restarting.start_soon(restart, ensemble, restarts)
                for number in range(LOG, LOG + changes // 4):
                    await change(zk, number)
            last = LOG + changes // 4
            with trio.move_on_after(60):
                while late := [name for each in watchers for name in await each.late(zk)]:
                    await change(zk, last)  # an event for those who follow events only
                    last += 1
                    await trio.sleep(2)
            assert not late, f"these do not know the last state: {late}"
            nursery.cancel_scope.cancel()
    items, gaps = sum(each.items for each in watchers), sum(each.gaps for each in watchers)
    return (
        f"{changes} changes, {restarts} restarts of {ensemble.kind}, {items} states and events"
        f" checked, {gaps} gaps named; everybody knows the last state"
    )


async def restart(ensemble: Ensemble, times: int) -> None:
    """Kill one server after the other, and start it again."""
    for _ in range(times):
        await trio.sleep(random.uniform(1, 3))
        replica = random.choice(list(ensemble.ids))
        await trio.to_thread.run_sync(ensemble.kill, replica)
        await trio.sleep(random.uniform(0, 3))
        await trio.to_thread.run_sync(ensemble.restart, replica)
