"""What waits at the leader to be proposed: bundles of writes, in the order in which they came."""

from collections import deque
from typing import Final

from coord.operations.batch import encode_entry

BATCH_BYTES_MAX: Final = 4 << 20
"""Bundles in one entry, in bytes."""
BATCH_OPERATIONS_MAX: Final = 1000
"""Operations in one entry: applying it must not hold the loop for long."""
WAITING_BYTES_MAX: Final = 256 << 20
"""Bundles that wait; more are dropped, and their origins send them again. Each origin bounds what
it has pending, so this many means that commits are stuck."""


class Batches:
    """Bundles in, payloads of entries out."""

    __slots__ = ("_bytes", "_waiting", "entry_operations", "operations")

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self.operations = 0
        """Operations that wait."""
        self.entry_operations = 0
        """Operations in the entry that was taken last."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, bundle: bytes, operations: int) -> None:
        """Take a bundle of so many operations."""
        if self._bytes + len(bundle) <= WAITING_BYTES_MAX:
            self._waiting.append((operations, bundle))
            self._bytes += len(bundle)
            self.operations += operations

    def clear(self) -> None:
        """Forget all: their origins will send them to the leader that comes."""
        self._waiting.clear()
        self._bytes = 0
        self.operations = 0

    def take_entry(self, time_ms: int) -> bytes:
        """The payload of the next entry; something must be waiting."""
        batch: list[bytes] = []
        size = count = 0
        waiting = self._waiting
        while waiting and (
            not batch
            or (
                size + len(waiting[0][1]) <= BATCH_BYTES_MAX
                and count + waiting[0][0] <= BATCH_OPERATIONS_MAX
            )
        ):
            operations, bundle = waiting.popleft()
            batch.append(bundle)
            size += len(bundle)
            count += operations
        self._bytes -= size
        self.operations -= count
        self.entry_operations = count
        return encode_entry(time_ms, batch)
