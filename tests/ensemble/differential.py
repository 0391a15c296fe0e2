"""The same random requests to two servers; every reply compared, less ids, zxids and times.

A command:

    python -m tests.ensemble.differential --seeds 1:50 --steps 400

Two clients take turns: client 0 sets one-shot watches, client 1 persistent ones (before 3.9 the two
kinds replaced each other). Left out, because ZooKeeper 3.8.0 is known to answer them in its own
way: exists and watches on nodes that may not be read, a check outside a multi, checkWatches (it
finds the watches of every connection), and the operations that servers use among themselves.
"""

import argparse
import tempfile
from collections import deque
from pathlib import Path

import attrs

from tests.ensemble import frames
from tests.ensemble.frames import Reader
from tests.ensemble.probe import ClosedError, Probe, Reply, remove_tree
from tests.ensemble.random_requests import CLOSE, RESUME, ROOT, Requests, Step
from tests.ensemble.servers import CoordEnsemble, ZooKeeperEnsemble

HISTORY = 8
"""How many steps before a difference are shown."""

WITH_STAT = frozenset(
    (
        frames.EXISTS,
        frames.GET_DATA,
        frames.SET_DATA,
        frames.SET_ACL,
        frames.CREATE2,
        frames.CREATE_CONTAINER,
    )
)
"""The replies that end in the 68 bytes of a Stat."""


class Differs(AssertionError):  # noqa: N818 - it names what was found
    """Two servers answered the same request in two ways."""


class Numbers:
    """Replaces values by the order in which they were first seen; special values stay."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def __call__(self, value: int) -> int:
        return value if value <= 0 else self._seen.setdefault(value, len(self._seen) + 1)


class Side:
    """One server with its two clients."""

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        self.name = name
        self.address = address
        self.clients = [Probe(address), Probe(address)]
        self.marks: list[int] = [1]
        self._unordered: set[int] = set()
        self._zxids = Numbers()
        self._sessions = Numbers()
        self._name_sessions()

    def close(self) -> None:
        """End both sessions."""
        for client in self.clients:
            client.__exit__()

    def renew(self, index: int, *, resume: bool) -> None:
        """Replace a client: its session ends and a new one begins, or it reconnects."""
        old = self.clients[index]
        if resume:
            old.drop()
            self.clients[index] = Probe(self.address, session=old.session)
        else:
            old.close_session()
            # Its ephemeral nodes go in no order that was promised.
            self._unordered.update((0, 1))
            old.drop()
            self.clients[index] = Probe(self.address)
        self._name_sessions()

    def perform(self, index: int, code: int, body: bytes) -> tuple[object, ...]:
        """Send a request; the events that came first and the reply, both normalised."""
        client = self.clients[index]
        xid = {
            frames.PING: frames.PING_XID,
            frames.AUTH: frames.AUTH_XID,
            frames.SET_WATCHES: frames.SET_WATCHES_XID,
        }.get(code)
        try:
            reply = client.call(code, body, xid=xid)
        except ClosedError:
            self.renew(index, resume=True)
            return ("the server closed the connection",)
        self.marks.append(max(reply.zxid, 1))
        events = [(event.type, event.path) for event in client.take_events()]
        if index in self._unordered:
            events.sort()
            self._unordered.remove(index)
        # ZooKeeper logs even a write that it could not read: only that there is a zxid is the same.
        shown = (reply.xid, reply.zxid > 0, reply.error, self._normal(code, reply))
        return (*events, shown)

    def _name_sessions(self) -> None:
        for client in self.clients:
            self._sessions(client.session.id)

    def _normal(self, code: int, reply: Reply) -> object:
        body = reply.body
        if reply.error or not body:
            return body
        reader = Reader(body)
        if code in (frames.GET_CHILDREN, frames.GET_EPHEMERALS):
            return sorted(reader.vector(reader.text))
        if code == frames.GET_CHILDREN2:
            return sorted(reader.vector(reader.text)), self._stat(body[-68:])
        if code == frames.GET_ACL:
            # A list made from "auth" has the connection's identities in the order of a hash.
            return sorted(reader.vector(reader.entry)), self._stat(body[-68:])
        if code == frames.WHO_AM_I:
            return sorted(reader.vector(lambda: (reader.text(), reader.text())))
        if code in (frames.MULTI, frames.MULTI_READ):
            return self._multi(body)
        if code in WITH_STAT:
            return body[:-68], self._stat(body[-68:])
        return body

    def _multi(self, body: bytes) -> object:
        shown = []
        for kind, error, value in frames.read_multi(body):
            if kind == frames.CREATE2 and isinstance(value, tuple):
                # ZOOKEEPER-4026: up to 3.8.2 every create in a multi was answered as of type 1.
                kind, value = frames.CREATE, value[0]
            if isinstance(value, list):
                value.sort()
            values = value if isinstance(value, tuple) else (value,)
            parts = (self._numbered(v) if isinstance(v, frames.Stat) else v for v in values)
            shown.append((kind, error, *parts))
        return shown

    def _stat(self, data: bytes) -> object:
        return self._numbered(Reader(data).stat())

    def _numbered(self, stat: frames.Stat) -> frames.Stat:
        return attrs.evolve(
            stat,
            czxid=self._zxids(stat.czxid),
            mzxid=self._zxids(stat.mzxid),
            pzxid=self._zxids(stat.pzxid),
            ctime=stat.ctime != 0,
            mtime=stat.mtime != 0,
            ephemeral_owner=self._sessions(stat.ephemeral_owner),
        )


def perform(side: Side, step: Step) -> tuple[object, ...]:
    """Take one step on one side and return what came back."""
    if step.code in (CLOSE, RESUME):
        side.renew(step.client, resume=step.code == RESUME)
        return ()
    return side.perform(step.client, step.code, step.body(side.marks))


def compare(sides: tuple[Side, Side], seed: int, steps: int) -> None:
    """Take the same steps on both sides; Differs names the first reply that is not the same."""
    requests = Requests(seed)
    recent: deque[str] = deque(maxlen=HISTORY)
    walk = [Step(0, frames.CREATE, requests.root())]
    walk += [requests.step() for _ in range(steps)]
    walk += requests.inspection()
    for number, step in enumerate(walk):
        first, second = (perform(side, step) for side in sides)
        recent.append(f"{number}: {step.describe()}\n    -> {first}")
        if first != second:
            raise Differs(
                f"seed {seed}, step {number}\n"
                + "\n".join(recent)
                + f"\n{sides[0].name}: {first}\n{sides[1].name}: {second}"
            )


def remove_all(sides: tuple[Side, Side]) -> None:
    """Leave the trees as they were."""
    for side in sides:
        with Probe(side.address) as housekeeper:
            for credential in (b"ann:secret", b"bob:secret"):
                housekeeper.authenticate("digest", credential)
            remove_tree(housekeeper, ROOT)


def run(addresses: dict[str, tuple[str, int]], seed: int, steps: int) -> None:
    """One seed against two servers, named in what is raised."""
    first, second = (Side(name, address) for name, address in addresses.items())
    try:
        compare((first, second), seed, steps)
    finally:
        for side in (first, second):
            side.close()
        remove_all((first, second))


def main() -> None:
    """Many seeds, coord against ZooKeeper."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1:20", help="from:to, the last one left out")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--self", action="store_true", help="two ZooKeepers, to test the test")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kind = ZooKeeperEnsemble if options.self else CoordEnsemble
        with (
            kind(Path(folder, "coord"), 3) as ours,
            ZooKeeperEnsemble(Path(folder, "zookeeper"), 1) as theirs,
        ):
            addresses = {
                "coord": ours.address(ours.followers()[0]),
                "zookeeper": theirs.address(1),
            }
            for seed in range(*map(int, options.seeds.split(":"))):
                run(addresses, seed, options.steps)
                print(f"seed {seed}: {options.steps} requests, the same replies", flush=True)


if __name__ == "__main__":
    main()
