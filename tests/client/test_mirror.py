"""The copy of a subtree, against a server and a wire of a model: each state is one of theirs.

The model deals requests, replies and events out one by one, in any order that a server and a
connection could. One seed is one run.
"""

import random
from collections import deque
from collections.abc import Callable

import pytest

from client import Stat
from client.mirror import Mirror, Need, Read
from client.tree import Tree
from client.znodes import Znode
from coord.wire.numbers import EventType
from tests.client import tree as server

NAMES = ("/", "/a", "/b", "/a/x", "/a/y", "/b/x", "/b/x/1", "/b/x/2", "/c", "/zookeeper")
State = dict[str, Znode]


class World(server.Watching):
    """A server, a client and the wire between them. Below "/r" is what is mirrored."""

    def __init__(self, seed: int, *, piecemeal: bool = False, deep: bool = True) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.tree = server.Tree()
        self.tree.watching.append(self)
        self.piecemeal = piecemeal
        self.mirror = Mirror(is_deep=deep, has_data=True)
        self.mirror.is_piecemeal = piecemeal
        self.requests: deque[tuple[int, Read]] = deque()
        self.wire: deque[Callable[[], None]] = deque()
        self.history: dict[int, State] = {}
        self.remember()
        self.kept: list[tuple[Tree, State]] = []
        self.connect()

    # The server.

    def tell(self, event: int, path: str, zxid: int) -> None:
        kind = EventType(event)
        self.wire.append(lambda: self.mirror.change(kind, path[2:] or "/"))

    def write(self, paths: tuple[str, ...] = NAMES) -> None:
        path = self.random.choice(paths)
        full = "/r" + path if path != "/" else "/r"
        nodes = self.tree.nodes
        if full in nodes and not nodes[full].children and self.random.random() < 0.4:
            self.tree.delete(full)
        elif server.parent_of(full) in nodes:
            self.tree.put(full, b"%d" % self.tree.zxid)
        self.remember()

    def remember(self) -> None:
        """Keep the state, as the client will know it."""
        self.history[self.tree.zxid] = {
            path[2:] or "/": Znode(node.data or b"", Stat.of(node.stat()))
            for path, node in self.tree.nodes.items()
            if path == "/r" or path.startswith("/r/")
        }

    def set_one(self) -> None:
        """Change the data of a znode that is there."""
        path = self.random.choice(sorted(self.tree.nodes.keys() - {"/"}))
        self.tree.put(path, b"%d" % self.tree.zxid)
        self.remember()

    def serve(self) -> None:
        """Answer one request."""
        if not self.requests:
            return
        era, read = self.requests.popleft()
        path = "/r" + read.path if read.path != "/" else "/r"
        node, zxid = self.tree.nodes.get(path), self.tree.zxid
        if self.piecemeal and (node is not None or read.need == Need.STAT):
            (self.child if read.need == Need.NAMES else self.data).add(path)
        stat = None if node is None else Stat.of(node.stat())
        data = None if node is None or read.need != Need.DATA else node.data
        names = None if node is None or read.need != Need.NAMES else sorted(node.children)

        def reply() -> None:
            if era != self.mirror.era:
                return
            if stat is None:
                self.mirror.missing(read, zxid)
            else:
                self.mirror.found(read, zxid, stat, data, names)

        self.wire.append(reply)

    # The client.

    def connect(self) -> None:
        """Lose the connection, all that is on it and all watches; come back."""
        self.wire.clear()
        self.requests.clear()
        for watches in (self.data, self.child, self.recursive):
            watches.clear()
        self.mirror.rest()
        if not self.piecemeal:
            self.recursive.add("/r")
        self.mirror.begin()

    def ask(self) -> None:
        if self.mirror.flying < 9 and (read := self.mirror.next_read()) is not None:
            self.requests.append((self.mirror.era, read))

    def receive(self) -> None:
        if self.wire:
            self.wire.popleft()()
            self.check()

    def check(self) -> None:
        """Demand that what is published was the state at the moment it is said to be of."""
        if self.mirror.published:
            tree = self.mirror.tree()
            assert dict(tree) == self.history[tree.zxid]
            for path in tree:
                assert tree.children(path) == [
                    each.rpartition("/")[2]
                    for each in tree
                    if each != "/" and server.parent_of(each) == path
                ]
            if self.random.random() < 0.02:
                self.kept.append((tree, dict(tree)))

    def settle(self) -> None:
        """Let all come to rest; demand that the last state is known, and kept ones as they were."""
        while not self.mirror.is_current or self.wire:
            self.ask()
            self.serve()
            self.receive()
        assert dict(self.mirror.tree()) == self.history[self.tree.zxid]
        for tree, was in self.kept:
            assert dict(tree) == was


@pytest.mark.parametrize("piecemeal", [False, True], ids=["one watch", "many watches"])
@pytest.mark.parametrize("seed", range(10))
def test_every_state_is_that_of_one_moment_and_the_last_is_found(seed, piecemeal):
    world = World(seed, piecemeal=piecemeal)
    deal = world.random
    steps = [world.write, world.ask, world.ask, world.serve, world.serve, world.receive]
    for _ in range(400):
        deal.choice(steps)()
        if deal.random() < 0.005:
            world.connect()
        if deal.random() < 0.01:
            world.settle()
    world.settle()


@pytest.mark.parametrize("seed", range(3))
def test_states_are_published_while_changes_never_pause(seed):
    world = World(seed)
    for path in ("/r", "/r/a", "/r/b", "/r/b/x"):
        world.tree.put(path, b"")
    world.remember()
    world.settle()
    before = world.mirror.published
    for _ in range(300):
        # All that is asked for is answered, but two changes happen in the meantime.
        while world.mirror.has_reads:
            world.ask()
        world.set_one()
        while world.requests:
            world.serve()
        world.set_one()
        while world.wire:
            world.receive()
        assert not world.mirror.is_current
    assert world.mirror.published - before > 30


def test_znodes_that_change_in_every_round_trip_do_not_hold_up_the_states_for_good():
    # Each alone spoils the cut that lacks the other, unless both are read in each round.
    world = World(0)
    for path in ("/r", "/r/a", "/r/b"):
        world.tree.put(path, b"")
    world.remember()
    world.settle()
    world.tree.put("/r/a", b"")
    world.remember()
    world.receive()
    before = world.mirror.published
    for _ in range(20):
        while world.mirror.has_reads:
            world.ask()
        for path in ("/r/a", "/r/b"):
            world.tree.put(path, b"%d" % world.tree.zxid)
            world.remember()
        while world.requests:
            world.serve()
        while world.wire:
            world.receive()
    assert world.mirror.published > before
