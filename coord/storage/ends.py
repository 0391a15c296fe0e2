"""Where the names of children end in LMDB: what comes behind is a new name without a look.

Names given by a counter or a clock rise, and every birth must know that its name is not taken. One
look for the greatest name below a parent answers for all names behind it, until the next flush.
"""

from typing import Final

from coord.storage.environment import Database, Transaction
from coord.storage.keys import NAME_MAX, PathKeys
from coord.storage.layer import ITEM_BYTES

_BYTES_MAX: Final = 1 << 20
"""Then no more parents are entered until the next flush: some 4,000 with short paths. The ends are
not counted: each is as long as a name."""


class Ends:
    """What one read transaction has shown; it sees the same as long as it is open."""

    def __init__(self, transaction: Transaction, database: Database) -> None:
        self._transaction = transaction
        self._database = database
        # By parent: there is no child of this name or a greater one, of those with plain names.
        self._names: dict[bytes, bytes] = {}
        # Parents of which one child was looked for in vain, and whose ends are not known yet.
        self._missed: set[bytes] = set()
        self._bytes = 0

    def come_before(self, parent: bytes, name: bytes) -> bool:
        """Whether it is known that there is no child of this name, nor of a greater one.

        Never known of names that are too long to stand in a key.
        """
        end = self._names.get(parent)
        return end is not None and name >= end and len(name) <= NAME_MAX

    def was_missing(self, parent: bytes, keys: PathKeys) -> None:
        """A child was looked for in vain: the second time, find out where its siblings end."""
        if parent in self._missed:
            self._missed.remove(parent)
            self._names[parent] = self._find(parent, keys)
        elif parent not in self._names and self._bytes < _BYTES_MAX:
            self._missed.add(parent)
            self._bytes += ITEM_BYTES + len(parent)

    def _find(self, parent: bytes, keys: PathKeys) -> bytes:
        plain, hashed = keys.prefixes_below(parent)
        with self._transaction.cursor(db=self._database) as cursor:
            is_any = cursor.prev() if cursor.set_range(hashed) else cursor.last()
            last: bytes = cursor.key() if is_any else b""
        return last[len(plain) :] + b"\0" if last.startswith(plain) else b""
