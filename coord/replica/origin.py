"""The writes that this replica took from its clients: numbered, kept until applied.

A write is identified by (replica, start, n). The leader may see a bundle twice or not at all;
the state applies each number once and in order, so sending again is always safe and this side
does it for every new leader and whenever an answer stays out too long.
"""

from collections import deque
from itertools import islice
from typing import Any, Final

from coord.operations.batch import encode_bundle

BUNDLE_OPERATIONS_MAX: Final = 1000
"""Operations in one bundle: applying one entry must not hold the loop for long."""
BUNDLE_BYTES_MAX: Final = 4 << 20
"""Bytes in one bundle; a single operation is always taken, it fits a client's frame."""


class OvertakenError(Exception):
    """Another process wrote, or writes, in the name of this one: its writes would be ignored."""


class Origin:
    """Numbers and keeps this replica's own writes.

    It cannot grow without bound: `pending_bytes` is compared with a limit before more is read
    from any client.
    """

    __slots__ = ("_unsent", "next_number", "pending", "pending_bytes", "replica", "start")

    def __init__(self, replica: int, start: int) -> None:
        self.replica = replica
        self.start = start
        self.next_number = 1
        self.pending: deque[tuple[bytes, Any]] = deque()
        self.pending_bytes = 0
        self._unsent = 0

    @property
    def first_pending(self) -> int:
        """The number of the oldest write that is not applied yet."""
        return self.next_number - len(self.pending)

    def add(self, operation: bytes, slot: Any) -> None:
        """Take a write; `slot` comes back from `settle`."""
        self.pending.append((operation, slot))
        self.pending_bytes += len(operation)
        self.next_number += 1
        self._unsent += 1

    def settle(self, start: int, number: int) -> Any:
        """The write with this number was applied: forget it and return its slot.

        Raises OvertakenError when it is of a later start, or was never taken in this one.
        """
        if start != self.start or number != self.first_pending or not self.pending:
            raise OvertakenError(
                f"the log holds a write of replica {self.replica} from start {start}, and this is"
                f" start {self.start}: a lost data folder was replaced while the clock was wrong"
            )
        operation, slot = self.pending.popleft()
        self.pending_bytes -= len(operation)
        self._unsent = min(self._unsent, len(self.pending))
        return slot

    def forget(self, start: int, last: int) -> None:
        """A snapshot has replaced the state: what it holds of this start's writes is applied."""
        while start == self.start and self.pending and self.first_pending <= last:
            self.settle(start, self.first_pending)

    def send_again(self) -> None:
        """Everything that is not applied goes out once more (new leader, or a lost message)."""
        self._unsent = len(self.pending)

    @property
    def unsent(self) -> int:
        """Writes that the present leader has not been given."""
        return self._unsent

    def take_bundle(self) -> bytes | None:
        """The next writes that the present leader has not been given, encoded; None: none."""
        if not self._unsent:
            return None
        begin = len(self.pending) - self._unsent
        operations: list[bytes] = []
        size = 0
        for operation, _slot in islice(self.pending, begin, begin + BUNDLE_OPERATIONS_MAX):
            size += len(operation)
            if operations and size > BUNDLE_BYTES_MAX:
                break
            operations.append(operation)
        self._unsent -= len(operations)
        return encode_bundle(
            self.replica, self.start, self.next_number - len(self.pending) + begin, operations
        )
