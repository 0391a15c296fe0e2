"""Fences: whoever takes orders from lock holders refuses those of a holder that has lost its lock.

A holder sends `held.token` with each order. Tokens grow from holder to holder, so an order with a
lower token than the highest one seen comes from somebody who was stopped for so long that another
holds the lock by now, and who has not noticed.
"""

from client.errors import OutcomeUnknown, StaleToken
from client.operations import Operations
from client.transactions import Transaction
from coord.wire.errors import BadVersion, NodeExists, NoNode


class Fence:
    """The highest token seen, in memory: for a process that alone guards what it guards.

    fence = Fence()

    def write(token: int, row: Row) -> None:
        fence.admit(token)
        table.put(row)
    """

    def __init__(self, highest: int = 0) -> None:
        self.highest = highest
        """The highest token seen; to be kept with what is guarded, if that outlives the process."""

    def admit(self, token: int) -> None:
        """Let a token through, or raise StaleToken when a higher one has been seen."""
        if token < self.highest:
            raise StaleToken(token, self.highest)
        self.highest = token


class StoredFence:
    """The highest token seen, kept in a znode: for processes that guard something together.

    fence = zk.fence("/fences/printer")
    await fence.admit(held.token)
    print(await fence.highest())
    """

    def __init__(self, operations: Operations, path: str) -> None:
        self._operations = operations
        self._path = path

    async def admit(self, token: int, transaction: Transaction | None = None) -> None:
        """Let a token through, or raise StaleToken when a higher one has been seen.

            async with zk.transaction() as order:
                await fence.admit(token, order)
                order.set_data("/state", b"...")

        What is done after it was let through may come late. With a transaction there is no such
        gap: it fails with BadVersion when a higher token has been let through before its commit.
        """
        while True:
            version, highest = await self._look()
            if token < highest:
                raise StaleToken(token, highest)
            if token > highest:
                try:
                    stat = await self._operations.set(self._path, b"%d" % token, version)
                except (BadVersion, NoNode, OutcomeUnknown):
                    continue  # reading again tells, whoever has written it
                version = stat.version
            if transaction is not None:
                transaction.check(self._path, version)
            return

    async def highest(self) -> int:
        """Return the highest token that was let through by anybody; 0 when none was."""
        return (await self._look())[1]

    async def _look(self) -> tuple[int, int]:
        """Return the version and the token of the znode, which is created where it is missing."""
        while True:
            await self._operations.sync(self._path)
            try:
                data, stat = await self._operations.get(self._path)
            except NoNode:
                try:
                    await self._operations.create(self._path, b"0", makepath=True, idempotent=True)
                except (NodeExists, OutcomeUnknown):
                    continue
            else:
                return stat.version, int(data or b"0")
