"""Watchers under random changes, while connections break, sessions expire and servers restart.

    python -m tests.client.changes --changes 10000 --seed 1
    python -m tests.client.changes --changes 2000 --seed 1 --servers coord --restarts 5

Every state of a subtree must be one that the servers had; every event must be given, in order,
unless a gap is named; at the end everybody must know the last state. On the fake ensemble a seed
is a run. The last line is a summary; the exit status is 1 after a violation.
"""

import argparse
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
import trio.testing
from trio._core import _run

import client
from client.hub import EVENTS_MAX
from coord.wire.numbers import EventType, OpCode
from tests.client import tree as server
from tests.client.fake import FakeEnsemble, fake_ensemble

ROOT = "/t"
NAMES = ("", "/a", "/b", "/a/x", "/a/y", "/a/x/1", "/a/x/2", "/b/x", "/b/y", "/b/z", "/c", "/d")
PATHS = tuple(ROOT + name for name in NAMES)
MARKS_MAX = 4 * len(PATHS)
"""So many marks may a mirror of these znodes keep: one a znode and a kind of read, and some."""

ASKED = (OpCode.ADD_WATCH, OpCode.GET_DATA, OpCode.GET_CHILDREN2, OpCode.EXISTS, OpCode.PING)
State = dict[str, tuple[bytes, int, int, int]]
"""Data, czxid, mzxid and pzxid by path below the root."""


def state_of(tree: Any) -> State:
    """Return a tree of the client's in the form that is compared."""
    return {
        path: (znode.data, znode.stat.czxid, znode.stat.mzxid, znode.stat.pzxid)
        for path, znode in tree.items()
    }


class Recorder(server.Watching):
    """Sees all that happens in the fake ensemble."""

    def __init__(self, tree: server.Tree) -> None:
        super().__init__(recursive={ROOT})
        self.tree = tree
        self.states: dict[int, State] = {}
        self.places: dict[tuple[int, int, str], int] = {}
        """The number of each event, by zxid, kind and path."""
        tree.watching.append(self)

    def tell(self, event: int, path: str, zxid: int) -> None:
        self.places[zxid, event, path] = len(self.places)
        self.states[zxid] = self.state()

    def state(self) -> State:
        """The present state below the root."""
        return {
            path[len(ROOT) :] or "/": (node.data or b"", node.czxid, node.mzxid, node.pzxid)
            for path in PATHS
            if (node := self.tree.nodes.get(path)) is not None
        }

    def state_at(self, zxid: int) -> State:
        """The state when a zxid was the last one."""
        last = max((each for each in self.states if each <= zxid), default=0)
        return self.states.get(last, {})


class Witness:
    """Somebody who watches, at his own pace, and checks what he sees."""

    def __init__(self, name: str, recorder: Recorder, pause: Callable[[], float]) -> None:
        self.name = name
        self.recorder = recorder
        self.pause = pause
        self.items = 0
        self.gaps = 0
        self.marks_max = 0
        self.began = trio.Event()
        self.source: Any = None

    async def watch(self, items: client.watches.Iteration[Any]) -> None:
        """Look at each item until cancelled."""
        self.source = items
        async with items:
            async for item in items:
                self.items += 1
                self.see(item)
                self.began.set()
                await trio.sleep(self.pause())

    def measure(self) -> None:
        """Take note of how much is kept for this consumer."""
        items = getattr(self.source, "_cache", self.source)
        feed = getattr(items, "_feed", None) or getattr(items, "_record", None)
        if feed is not None:
            mirror = feed.mirror
            kept = len(mirror._needs) + len(mirror._news) + len(mirror._hot)
            assert kept <= MARKS_MAX, f"{self.name}: {kept} marks"
            self.marks_max = max(self.marks_max, kept)
        stream = getattr(feed, "events", None) or getattr(items, "_stream", None)
        if stream is not None:
            assert len(stream._changes) <= EVENTS_MAX + 1

    def see(self, item: Any) -> None:
        raise NotImplementedError

    def is_up_to_date(self) -> bool:
        raise NotImplementedError


class StateWitness(Witness):
    """Watches states: those of one znode, of its children, or of the whole subtree."""

    last: Any = None

    def see(self, item: Any) -> None:
        self.last = item
        if isinstance(item, client.Tree):
            assert state_of(item) == self.recorder.state_at(item.zxid), f"{self.name}: {item}"

    def is_up_to_date(self) -> bool:
        nodes, last = self.recorder.tree.nodes, self.last
        if isinstance(last, client.Tree):
            return state_of(last) == self.recorder.state()
        if isinstance(last, client.Znode):
            return f"{ROOT}/a" in nodes and last.stat.mzxid == nodes[f"{ROOT}/a"].mzxid
        if isinstance(last, list):
            return f"{ROOT}/b" in nodes and last == sorted(nodes[f"{ROOT}/b"].children)
        return (ROOT + self.name[-2:]) not in nodes


class EventWitness(Witness):
    """Watches events: none may be missing but in a gap, none may come twice or out of order."""

    place = -1
    """The number of the last event."""
    is_gap = True
    """Whether events may be missing before the next one."""

    def __init__(self, name: str, recorder: Recorder, pause: Callable[[], float]) -> None:
        super().__init__(name, recorder, pause)
        self.known: dict[str, int] = {}
        """What somebody who follows the events believes: the mzxid of each znode."""

    def see(self, item: Any) -> None:
        if isinstance(item, client.Resynced):
            self.gaps += item.gap
            self.is_gap = True
            self.resynced_at = len(self.recorder.places)
            return
        if not item.is_synthetic:
            place = self.recorder.places[item.zxid, item.kind, item.path]
            is_next = place > self.place if self.is_gap else place == self.place + 1
            assert is_next, f"{self.name}: event {place} after {self.place}"
            self.place, self.is_gap = place, False
        self.believe(item)

    def believe(self, event: client.Event) -> None:
        """Follow an event. Where gaps are filled, each must be news."""
        known = self.known.get(event.path)
        if event.kind == EventType.NODE_DELETED:
            self.known.pop(event.path, None)
            is_news = known is not None
        elif event.kind == EventType.NODE_CHILDREN_CHANGED:
            is_news = True
        else:
            self.known[event.path] = max(event.zxid, known or 0)
            is_created = event.kind == EventType.NODE_CREATED
            is_news = known is None if is_created else known is not None and event.zxid > known
        assert is_news or not self.name.startswith("filled"), f"{self.name}: {event} after {known}"

    def is_up_to_date(self) -> bool:
        if self.name.startswith("filled"):
            nodes = self.recorder.tree.nodes
            return self.known == {path: nodes[path].mzxid for path in PATHS if path in nodes}
        count = len(self.recorder.places)
        return self.place == count - 1 or (self.is_gap and self.resynced_at == count)


class Run:
    """One run on the fake ensemble."""

    def __init__(self, fake: FakeEnsemble, seed: int) -> None:
        self.fake = fake
        self.random = random.Random(seed)
        self.recorder = Recorder(fake.tree)
        self.witnesses: list[Witness] = []
        self.mishaps = 0

    async def run(self, changes: int) -> str:
        """Watch, change and disturb; heal, and demand that everybody knows the last state."""
        async with trio.open_nursery() as nursery:
            for pause in (lambda: 0.0, lambda: self.random.uniform(0, 2)):
                await nursery.start(self.watch, pause)
            with trio.CancelScope() as disturbing:
                nursery.start_soon(self.disturb, disturbing)
                for _ in range(changes):
                    self.change()
                    for witness in self.witnesses:
                        witness.measure()
                    if self.random.random() < 0.5:
                        await trio.sleep(self.random.choice((0, 0.01, 0.1, 0.5)))
            disturbing.cancel()
            self.fake.down = set()
            self.fake.forget_mishaps()
            self.fake.cut()
            for _ in range(5000):
                late = [each.name for each in self.witnesses if not each.is_up_to_date()]
                if not late:
                    break
                await trio.sleep(0.1)
            assert not late, f"these do not know the last state: {late}"
            nursery.cancel_scope.cancel()
        gaps = sum(witness.gaps for witness in self.witnesses)
        items = sum(witness.items for witness in self.witnesses)
        marks = max(witness.marks_max for witness in self.witnesses)
        return (
            f"{changes} changes, {self.mishaps} mishaps, {items} states and events checked,"
            f" {gaps} gaps named, at most {marks} marks kept; everybody knows the last state"
        )

    async def watch(self, pause: Callable[[], float], task_status: Any) -> None:
        """Run one client with all kinds of watchers."""
        async with connect(self.fake) as zk, trio.open_nursery() as nursery:
            watchers: list[tuple[Witness, Any]] = [
                (self.witness(StateWitness, "states of /a", pause), zk.watch(f"{ROOT}/a")),
                (self.witness(StateWitness, "names in /b", pause), zk.watch_children(f"{ROOT}/b")),
                (self.witness(StateWitness, "tree", pause), zk.watch_tree(ROOT)),
            ]
            for fill in () if self.fake.unknown else (False, True):
                name = "filled events" if fill else "events"
                items = zk.events(ROOT, recursive=True, fill=fill)
                watchers.append((self.witness(EventWitness, name, pause), items))
            for witness, items in watchers:
                nursery.start_soon(witness.watch, items)
            cache = await nursery.start(self.keep_cache, zk, pause)
            for witness, _ in [*watchers, *cache]:
                await witness.began.wait()
            task_status.started()

    async def keep_cache(
        self, zk: client.Client, pause: Callable[[], float], task_status: Any
    ) -> None:
        """Watch the states of a cache."""
        async with zk.cache(ROOT) as cache:
            witness = self.witness(StateWitness, "cache", pause)
            task_status.started([(witness, None)])
            await witness.watch(cache.states())

    def witness(self, cls: type[Witness], name: str, pause: Callable[[], float]) -> Witness:
        self.witnesses.append(cls(name, self.recorder, pause))
        return self.witnesses[-1]

    def change(self) -> None:
        """Create, set or delete a znode, or several of them at one zxid."""
        nodes = self.fake.tree.nodes
        path = self.random.choice(PATHS)
        if path in nodes and not nodes[path].children and self.random.random() < 0.4:
            self.fake.tree.delete(path)
        elif server.parent_of(path) in nodes:
            self.fake.tree.put(path, b"%d" % self.fake.tree.zxid)

    async def disturb(self, scope: trio.CancelScope) -> None:
        """Let one mishap follow the other."""
        fake, deal = self.fake, self.random
        while not scope.cancel_called:
            await trio.sleep(deal.uniform(0, 3))
            if scope.cancel_called:
                return
            self.mishaps += 1
            match deal.randrange(5):
                case 0:
                    fake.cut()
                case 1:
                    fake.drop_reply(deal.choice(ASKED))
                case 2:
                    fake.drop_request(deal.choice(ASKED))
                case 3:
                    for session in deal.sample(list(fake.sessions), min(1, len(fake.sessions))):
                        fake.expire(session)
                case 4:
                    fake.down = {-1}
                    fake.cut()
                    await trio.sleep(deal.uniform(0, 6))
                    fake.down = set()


@asynccontextmanager
async def connect(fake: FakeEnsemble) -> AsyncIterator[client.Client]:
    """Connect to the fake ensemble."""
    async with client.connect(
        "one:1,two:2", open_stream=fake.open_stream, clock=trio.current_time, session_timeout=4
    ) as zk:
        yield zk


async def run_on_fake(changes: int, seed: int, *, old: bool = False) -> str:
    """Make one run; `old` servers know no watches of subtrees."""
    random.seed(seed)
    _run._r.seed(seed)
    async with fake_ensemble(FakeEnsemble) as fake:
        if old:
            fake.unknown = {OpCode.ADD_WATCH}
        return await Run(fake, seed).run(changes)


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--servers", choices=["fake", "coord", "zookeeper"], default="fake")
    parser.add_argument("--restarts", type=int, default=5, help="of real servers")
    parser.add_argument("--old", action="store_true", help="fake servers like those before 3.6")
    options = parser.parse_args()
    status = 0
    try:
        if options.servers == "fake":
            _run._ALLOW_DETERMINISTIC_SCHEDULING = True
            clock = trio.testing.MockClock(autojump_threshold=0)
            run = partial(run_on_fake, options.changes, options.seed, old=options.old)
            print(trio.run(run, clock=clock))
        else:
            from tests.client.restarts import run_on_servers

            print(
                trio.run(
                    run_on_servers,
                    options.servers,
                    options.changes,
                    options.restarts,
                    options.seed,
                )
            )
    except* (AssertionError, trio.TooSlowError) as errors:
        print(f"VIOLATION with seed {options.seed}: {errors.exceptions}")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
