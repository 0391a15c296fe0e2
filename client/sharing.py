"""What processes share: values, groups and work. See `client.recipes` for how these work."""

import uuid
from contextlib import AbstractAsyncContextManager

import trio

from client.calls import Calls
from client.locking import Locking
from client.recipes.counter import Counter
from client.recipes.membership import Member, membership
from client.recipes.value import Value


class Sharing(Locking):
    """Values, groups and work of a client.

    Missing ancestors of the paths are created. Everything waits while there is no connection, for
    as long as the caller's cancel scope permits, and leaves nothing behind when it is cancelled.
    """

    def __init__(self, calls: Calls, nursery: trio.Nursery) -> None:
        super().__init__(calls, nursery)
        self._members: set[str] = set()

    def value(self, path: str) -> Value:
        """Return bytes that many change, exactly once each.

        cursor = zk.value("/jobs/cursor")
        await cursor.update(lambda data: data + b".")
        """
        return Value(self._calls, self._below_root(path), self._turns)

    def counter(self, path: str) -> Counter:
        """Return a number that many count, exactly once each.

        served = await zk.counter("/served").add(1)
        """
        return Counter(self.value(path), path)

    def member(
        self, path: str, data: bytes = b"", *, name: str | None = None
    ) -> AbstractAsyncContextManager[Member]:
        """Be a member of a group while a block runs, session after session.

            async with zk.member("/workers", b"idle", name="host-7") as me:
                await me.update(b"busy")

        The block begins when the znode is there; one that an earlier process of that name has left
        is waited for. Without a name it gets one that nobody has. Raises RuntimeError when this
        client is that member already, and what the servers raise when they refuse the znode, also
        later, to end the block.
        """
        unique = name or uuid.uuid4().hex
        if "/" in unique:
            raise ValueError(f"{name!r} is no name for a member")
        own = f"{path.rstrip('/')}/{unique}"
        member = Member(self._calls, own, self._full(own), data)
        return membership(member, self._nursery, self._janitor, self._members)

    def _below_root(self, path: str) -> str:
        full = self._full(path)
        if full == "/":
            raise ValueError("the root cannot be used for this")
        return full
