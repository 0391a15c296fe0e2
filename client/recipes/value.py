"""A value that many change, each change exactly once.

Znodes: `PATH` holds the value, `PATH/op-MARKER` marks a change of which nobody knows yet whether
it was carried out: see `client.recipes.once`. kazoo's Counter uses the same `PATH`, without marks.

Rules:
1. A change replaces the data of one version: between reading and writing nobody has come.
2. A change is counted once, also when its reply was lost: its mark tells.
3. Changes by one client to one value take turns, so that they do not get in each other's way.

Limits: under contention a change is repeated until it is the first, so the cost grows with the
number of clients that change the same value at once: a few hundred changes in a second. Who deletes
the znode while a change is in doubt makes it an OutcomeUnknown.
"""

from collections.abc import Callable

from client.calls import Calls
from client.recipes import multi, once
from client.recipes.lines import Lines
from client.recipes.multi import Refused
from client.transactions import Guard
from client.znodes import Znode
from coord.wire.errors import BadVersion, NoNode


class Value:
    """Some bytes in a znode; b"" while there is none.

        cursor = zk.value("/jobs/cursor")
        await cursor.update(lambda data: data + b".")
        if await cursor.compare_and_set(b"3", b"4"):
            ...

    Every method waits while there is no connection. Changes raise OutcomeUnknown when not even the
    mark can tell, NoAuth and the like as the servers do, and with a `guard` NoNode when what it
    guards is not held any more.
    """

    def __init__(self, calls: Calls, path: str, lines: Lines) -> None:
        self._calls = calls
        self._path = path
        self._lines = lines

    async def get(self) -> bytes:
        """Return the value as this client's server knows it; `zk.sync()` before makes it fresh."""
        try:
            return (await self._calls.get(self._path)).data
        except NoNode:
            return b""

    async def set(self, data: bytes, *, guard: Guard | None = None) -> None:
        """Replace the value, whatever it is.

        cursor = zk.value("/jobs/cursor")
        await cursor.set(b"3")
        print(await cursor.get())
        """
        await self._change("set", lambda _before: data, guard)

    async def compare_and_set(
        self, expected: bytes, data: bytes, *, guard: Guard | None = None
    ) -> bool:
        """Replace the value if it is the expected one; return whether it was."""
        after = await self._change(
            "compare_and_set", lambda before: data if before == expected else None, guard
        )
        return after is not None

    async def update(
        self, change: Callable[[bytes], bytes], *, guard: Guard | None = None
    ) -> bytes:
        """Replace the value by what a function makes of it; return the new one.

        The function is called again whenever somebody else was faster, so it must do nothing else.
        """
        after = await self._change("update", change, guard)
        assert after is not None
        return after

    async def _change(
        self, name: str, change: Callable[[bytes], bytes | None], guard: Guard | None
    ) -> bytes | None:
        """Return the new value; None when the change wants none."""
        operation = once.Operation(self._calls, self._path, name)
        guards = [] if guard is None else [multi.check(guard.path)]
        attempts: list[bytes] = []  # what each would write: one more only when one was lost
        turn = await self._lines.take(f"{self._path} for a change", alone=True, wait=True)
        try:
            while True:
                znode = await self._read()
                after = change(znode.data)
                if after is None:
                    return None
                write = multi.set_data(self._path, after, znode.stat.version)
                attempts.append(after)
                try:
                    done = await operation.attempt(*guards, write, note=b"%d" % len(attempts))
                except once.NotDone:
                    continue
                except Refused as refused:
                    if guard is not None and refused.place == 0:
                        raise refused.error from None
                    if not isinstance(refused.error, BadVersion | NoNode):
                        raise refused.error from None
                    attempts.pop()
                    continue
                await once.sweep(self._calls, znode.stat, self._path, done.time_ms)
                return attempts[int(done.note) - 1]
        finally:
            turn.leave()

    async def _read(self) -> Znode:
        while True:
            try:
                return await self._calls.get(self._path)
            except NoNode:
                await self._calls.ensure(self._path)
