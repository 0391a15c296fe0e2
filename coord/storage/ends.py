"""Where the names of children end in LMDB: what comes behind is a new name without a look.

Names given by a counter or a clock rise, and every birth must know that its name is not taken. One
look for the greatest name below a parent answers for all names behind it, until the next flush.
"""

from typing import Final

from coord.storage.environment import Database, Transaction
from coord.storage.keys import NAME_MAX, PathKeys
from coord.storage.layer import ITEM_BYTES

_BYTES_MAX: Final = 1 << 20
"""Then all is forgotten: about 4,000 parents."""
_FAR: Final = b"\xff" * (NAME_MAX + 1)
"""Stands for an end that was not looked for: no plain name is as great."""


class Ends:
    """What one read transaction has shown; it sees the same as long as it is open."""

    def __init__(self, transaction: Transaction, database: Database) -> None:
        self._transaction = transaction
        self._database = database
        # By parent: there is no child of this name or a greater one, of those with plain names.
        self._names: dict[bytes, bytes] = {}
        self._bytes = 0

    def has_nothing_at(self, parent: bytes, name: bytes) -> bool:
        """Whether it is known that there is no child of this name."""
        end = self._names.get(parent)
        return end is not None and name >= end and len(name) <= NAME_MAX

    def was_missing(self, parent: bytes, keys: PathKeys) -> None:
        """A child was looked for in vain: the second time, find out where its siblings end."""
        end = self._names.get(parent)
        if end is None:
            self._enter(parent, _FAR)
        elif end is _FAR:
            self._enter(parent, self._find(parent, keys))

    def _find(self, parent: bytes, keys: PathKeys) -> bytes:
        plain, hashed = keys.prefixes_below(parent)
        with self._transaction.cursor(db=self._database) as cursor:
            is_any = cursor.prev() if cursor.set_range(hashed) else cursor.last()
            last: bytes = cursor.key() if is_any else b""
        return last[len(plain) :] + b"\0" if last.startswith(plain) else b""

    def _enter(self, parent: bytes, end: bytes) -> None:
        self._bytes += ITEM_BYTES + len(parent) + len(end)
        if self._bytes > _BYTES_MAX:
            self._names.clear()
            self._bytes = ITEM_BYTES + len(parent) + len(end)
        self._names[parent] = end
