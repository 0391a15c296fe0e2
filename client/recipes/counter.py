"""A number that many count, each count exactly once.

Znodes: those of `client.recipes.value`; the value is a whole number in decimal digits, as kazoo's
Counter writes it, and 0 while there is none. Rules and limits are the same.
"""

from collections.abc import Callable

from client.recipes.value import Value
from client.transactions import Guard


class Counter:
    """A whole number in a znode.

        served = await zk.counter("/served").add(1)

    Raises ValueError, and changes nothing, when the znode holds something else than a number.
    """

    def __init__(self, value: Value, path: str) -> None:
        self._value = value
        self._path = path

    async def get(self) -> int:
        """Return the number as this client's server knows it; `zk.sync()` before makes it fresh."""
        return self._number(await self._value.get())

    async def add(self, amount: int = 1, *, guard: Guard | None = None) -> int:
        """Add to the number, once, and return what it is then. The amount may be negative.

        Raises OutcomeUnknown when the znode was deleted while a reply was lost; NoNode when the
        guard holds no longer.
        """
        return await self._change(lambda number: number + amount, guard)

    async def set(self, number: int, *, guard: Guard | None = None) -> None:
        """Replace the number, whatever it is.

        served = zk.counter("/served")
        await served.set(0)
        await served.add(3)
        print(await served.get())
        """
        await self._value.set(b"%d" % number, guard=guard)

    async def _change(self, change: Callable[[int], int], guard: Guard | None) -> int:
        def write(data: bytes) -> bytes:
            return b"%d" % change(self._number(data))

        return int(await self._value.update(write, guard=guard))

    def _number(self, data: bytes) -> int:
        try:
            return int(data or b"0")
        except ValueError as error:
            raise ValueError(f"{self._path} holds no number: {data[:40]!r}") from error
