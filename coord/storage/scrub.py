"""Scrub: the look at the pages of a tree that is too large to wait for.

What `pages` says of a small file is found out here little by little, while the tree is served: a
million nodes take some seconds. Until then:

1. A page is looked at before what is in it is used: `look` before a key is asked for, and along
   ranges (`ranges`). Also before it is said that a key is not there.
2. The file does not change: no flush begins before all was looked at, for LMDB takes its free pages
   for free, and copies what is in a page that it changes. Nor is the tree sent to others.

Afterwards the pages are believed: they were read, or written, by this process.
"""

import mmap
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Final

from coord.storage.errors import Damaged
from coord.storage.page_format import NO_ROOT, Broken, states_of
from coord.storage.pages import Pages

_BRANCHES_MAX: Final = 2000
"""Pages above the leaves that are kept, at 12 KB each: those of two million nodes. With fewer than
there are, nearly each look reads one again."""


class Scrub:
    """The pages of one file, all of whose values are sealed."""

    def __init__(self, file: Path, damage: type[Damaged], databases: Mapping[bytes, bool]) -> None:
        """Begin with a file that does not change any more."""
        self._file = file
        self._damage = damage
        with file.open("rb") as opened:
            self._data = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
        try:
            newest = states_of(self._data)[1]
            self._asked = Pages(self._data, newest)
            """What was asked for; the steps go through all of it again, in order."""
            self._trees = self._asked.trees(databases)
        except (Broken, struct.error) as fault:
            self._data.close()
            raise self._damaged(fault) from None
        self._steps: Iterator[None] = Pages(self._data, newest).steps(databases)
        self._branches: dict[int, tuple[list[bytes], list[int]]] = {}
        self._leaves = bytearray(newest.last_page + 1)
        self.is_done = False

    def go_on(self, seconds: float) -> None:
        """Look at more, for about so long; raises what `damage` says."""
        deadline = perf_counter() + seconds
        try:
            while not self.is_done:
                if next(self._steps, self) is self:
                    self.close()
                elif perf_counter() >= deadline:
                    return
        except (Broken, struct.error) as fault:
            raise self._damaged(fault) from None

    def look_at_all(self, database: bytes) -> None:
        """Look at all pages of a database at once."""
        Passage(self, database, b"").end()

    def look(self, database: bytes, key: bytes) -> bytes | None:
        """Look at the page where a key is or would be.

        Return the key from which on another page counts; None when there is none.
        """
        if self.is_done:
            return None
        try:
            return self._look(database, key)
        except (Broken, struct.error) as fault:
            raise self._damaged(fault) from None

    def close(self) -> None:
        """Let go of the file; may be repeated."""
        if not self.is_done:
            self.is_done = True
            self._branches.clear()
            self._data.close()

    def _look(self, database: bytes, key: bytes) -> bytes | None:
        tree = self._trees.get(database)
        if tree is None or tree.root == NO_ROOT:
            return None
        number, low, high = tree.root, b"", None
        for _ in range(tree.depth - 1):
            keys, children = self._branch(number, low, high)
            place = bisect_right(keys, key) - 1
            number, low = children[place], keys[place]
            if place + 1 < len(keys):
                high = keys[place + 1]
        is_known = self._leaves[number : number + 1] == b"\1"  # the number may be anything
        if not is_known:
            for item in self._asked.leaf(number, low, high):
                self._asked.check_value(item)
            self._leaves[number] = 1
        return high

    def _branch(self, number: int, low: bytes, high: bytes | None) -> tuple[list[bytes], list[int]]:
        known = self._branches.get(number)
        if known is None:
            if len(self._branches) >= _BRANCHES_MAX:
                self._branches.clear()
            known = self._branches[number] = self._asked.branch(number, low, high)
        return known

    def _damaged(self, fault: Exception) -> Damaged:
        return self._damage(f"{self._file} is damaged: {fault}")


class Passage:
    """The pages of a range, on the way through it."""

    def __init__(self, scrub: Scrub, database: bytes, start: bytes) -> None:
        """Look at the page where the range begins, before LMDB does."""
        self._scrub = scrub
        self._database = database
        self._following = scrub.look(database, start)

    def reach(self, key: bytes) -> None:
        """Look at all pages up to that of a key which LMDB shows, before it is used."""
        while self._following is not None and key >= self._following:
            self._following = self._scrub.look(self._database, self._following)

    def end(self) -> None:
        """Look at all pages that follow: LMDB shows no more keys, and may be wrong."""
        while self._following is not None:
            self._following = self._scrub.look(self._database, self._following)
