"""A queue of work: entries that are put once, and claimed by one worker at a time.

Znodes below the queue's own:
    entries/BUCKET/ID-NUMBER   an entry; its version counts how often it was claimed
    taken/ID-NUMBER            a claim, ephemeral; its data is the claim's marker
    dead/BUCKET/ID-NUMBER      an entry that was claimed too often without being finished
    marks/op-MARKER            a put, or an end of an entry with other writes, whose outcome is not
                               known yet: see `client.recipes.once`

Rules:
1. A bucket takes BUCKET_ENTRIES entries and no more, so that the names in one always fit into a
   packet; then the next one is made. The newest is never deleted, so their numbers grow.
2. A claim is one multi: it makes `taken/...`, which only one can, and raises the entry's version.
3. An entry goes in one multi with its claim, and only in the version that the claim gave it. So
   who has lost a claim can neither finish the entry nor give up another's claim of it.
4. A claim that is not finished goes with its block or its session, and the entry is there again.
   An entry that was claimed as often as it may be is put with the dead instead of claimed again.

Limits: this is no message broker. Everybody who waits for work is woken by each entry and each
claim given back, and reads again: right for dozens of workers and hundreds of entries in a second,
not for more. Oldest entries first, but only nearly so where many put or claim at once. An entry
holds as much as a znode, less than a megabyte. At most some ten thousand claims at once, and as
many buckets, of a thousand entries each. An entry may be worked on more than once, when a session
is lost; who needs the work's effect exactly once writes it with `claim.finish()`.
"""

from contextlib import AbstractAsyncContextManager

import attrs
import trio

from client.recipes.claim import Claim
from client.recipes.claims import Claims, claim
from client.recipes.entries import Entries, Entry
from client.transactions import Guard, Paths

BUCKET_ENTRIES = 1000
"""Entries that a bucket takes: 50 kB of names, where a packet holds a megabyte."""

ATTEMPTS = 5
"""How often an entry is claimed before it is given up."""


@attrs.frozen
class WorkQueue:
    """A queue of work: `put` on one side, `claim` on the other.

    queue = zk.queue("/jobs")
    await queue.put(b"resize 7")
    async with queue.claim() as claim:
        await resize(claim.data)
    """

    path: str
    """The queue."""
    _entries: Entries
    _claims: Claims
    _full: Paths
    _nursery: trio.Nursery

    async def put(self, data: bytes, *, guard: Guard | None = None) -> str:
        """Put an entry, once; return its id, 32 hexadecimal digits.

            id = await queue.put(b"resize 7", guard=held.guard())

        Raises OutcomeUnknown when the queue was deleted while a reply was lost, and NoNode when the
        guard holds no longer.
        """
        return await self._entries.put(data, guard)

    def claim(self, *, wait: bool = True) -> AbstractAsyncContextManager[Claim]:
        """Work on an entry while a block runs.

            async with queue.claim() as claim:
                await work(claim.data)

        Waits for one; without `wait` raises trio.WouldBlock where there is none. The entry goes
        when the block comes to its end, and is there again for others when the block raises, is
        cancelled, or loses the claim with its session: then the body is cancelled, and LockLost
        raised. After so many attempts as the queue allows it is put with the dead.
        """
        return claim(self._claims, self.path, self._full, self._nursery, wait=wait)

    async def size(self) -> int:
        """Return the number of entries, claimed or not; dead ones are not counted.

        queue = zk.queue("/work")
        print(await queue.size(), "to do,", len(await queue.dead()), "dead")
        """
        return await self._entries.size()

    async def dead(self) -> list[Entry]:
        """Return the entries that were claimed too often without being finished, oldest first.

        for entry in await queue.dead():
            print(entry.id, entry.data)
        """
        return await self._entries.dead()
