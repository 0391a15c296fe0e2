"""Clients that take one lock again and again, in a process of their own; each body is written down.

    python -m tests.ensemble.holders HOSTS FOLDER --clients 4 --seed 1 --prove ping --timeout 4

Now and then a client cuts itself off from all servers while it holds, for longer than its session
lasts. A body that stood still, with its process, tries to go on writing when it wakes: past the
end of its session the guard and the fence must refuse it, and it writes down whether they did.
"""

import argparse
import json
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import attrs
import trio

import client
from client.deadline import MARGIN

PATH = "/locks/shared"
FENCE = "/fence"
STATE = "/state"
STEP_S = 0.01
BODY_S = (0.02, 0.08)
CUT_SHARE = 0.02
"""Share of the bodies in which the client cuts itself off."""
LATE_S = 30.0
"""Patience of a body that woke up and tries to write."""


@attrs.frozen
class Body:
    """One run of a body under the lock. Times are of the monotonic clock, in seconds."""

    holder: str
    """Whose it was."""
    znode: str
    """The znode of the hold."""
    token: int
    """The fencing token."""
    start: float
    """When it began."""
    end: float
    """When it ended, or was told to end, or last ran before it stood still."""
    stood_still: float
    """For how long it stood still at its end; 0 when that was less than the margin allows."""
    was_lost: bool
    """Whether the lock was lost."""
    guard_refused: bool = False
    """Whether, having stood still, it was refused by the guard."""
    fence_refused: bool = False
    """The same by the fence."""


class Network:
    """What one client sees of the network, which it can cut off."""

    def __init__(self) -> None:
        self._open = trio.Event()
        self._open.set()

    async def cut_off(self, seconds: float) -> None:
        """Let nothing through, in either direction, for a while."""
        self._open = trio.Event()
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)
        self._open.set()

    async def wait_open(self) -> None:
        """Wait until something can pass."""
        await self._open.wait()

    async def open_stream(self, host: str, port: int) -> trio.abc.Stream:
        """Connect, once the network is open."""
        await self.wait_open()
        return CutStream(await trio.open_tcp_stream(host, port), self)


class CutStream(trio.abc.Stream):
    """A connection over which nothing passes while the network is cut; then it goes on."""

    def __init__(self, stream: trio.SocketStream, network: Network) -> None:
        self._stream = stream
        self._network = network

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._network.wait_open()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        await self._network.wait_open()
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()


@attrs.define
class Contender:
    """One client of the process."""

    name: str
    hosts: str
    folder: Path
    timeout: float
    prove: client.Prove
    chance: random.Random
    journal: Any
    network: Network = attrs.field(factory=Network)

    async def contend(self) -> None:
        """Take the lock until cancelled."""
        async with (
            trio.open_nursery() as nursery,
            client.connect(
                self.hosts,
                session_timeout=self.timeout,
                prove=self.prove,
                open_stream=self.network.open_stream,
            ) as zk,
        ):
            while True:
                with suppress(client.LockLost, client.ZooKeeperError):
                    async with zk.lock(PATH, self.name.encode()) as held:
                        await self._hold(zk, held, nursery)

    async def _hold(self, zk: client.Client, held: client.Held, nursery: trio.Nursery) -> None:
        start = last = time.monotonic()
        seconds = self.chance.uniform(*BODY_S)
        is_long = (self.folder / "long").exists()
        if is_long:
            seconds = 3 * self.timeout
        elif self.chance.random() < CUT_SHARE:
            seconds = 3 * self.timeout
            nursery.start_soon(self.network.cut_off, 2 * self.timeout)
        (self.folder / "holder").write_text(f"{self.name} {'long' if is_long else 'short'}")
        margin = MARGIN * self.timeout
        try:
            with suppress(client.ConnectionLoss):
                await zk.fence(FENCE).admit(held.token)
            while (now := time.monotonic()) < start + seconds and now - last < margin:
                last = now
                await trio.sleep(STEP_S)
        finally:
            now = time.monotonic()
            still = now - last if now - last >= margin else 0.0
            znode, lost = held.guard().path, held.lost is not None
            end = last if still else now
            body = Body(self.name, znode, held.token, start, end, still, lost)
            if still > self.timeout:
                with trio.CancelScope(shield=True), trio.move_on_after(LATE_S):
                    body = await _write_late(zk, held, body)
            self.journal.write(json.dumps(attrs.asdict(body)) + "\n")


async def _write_late(zk: client.Client, held: client.Held, body: Body) -> Body:
    """Try what a body would do that does not know how late it is."""
    while True:
        late = zk.transaction()
        late.add(held.guard())
        late.set_data(STATE, b"%d" % held.token)
        try:
            await late.commit()
            break
        except client.OutcomeUnknown:
            continue
        except client.NoNode:
            body = attrs.evolve(body, guard_refused=True)
            break
    while True:
        try:
            await zk.fence(FENCE).admit(held.token)
        except client.StaleToken:
            return attrs.evolve(body, fence_refused=True)
        except client.ConnectionLoss:
            continue
        else:
            return body


async def _run(options: argparse.Namespace) -> None:
    with (options.folder / f"bodies.{options.seed}").open("a", buffering=1) as journal:
        async with trio.open_nursery() as nursery:
            for number in range(options.clients):
                contender = Contender(
                    f"{options.seed}.{number}",
                    options.hosts,
                    options.folder,
                    options.timeout,
                    options.prove,
                    random.Random(1000 * options.seed + number),
                    journal,
                )
                nursery.start_soon(contender.contend)


def main() -> None:
    """Contend until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hosts")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=4.0)
    parser.add_argument("--prove", choices=get_args(client.Prove), default="sync")
    trio.run(_run, parser.parse_args())


if __name__ == "__main__":
    main()
