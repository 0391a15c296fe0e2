"""The pages of an LMDB file, looked at before LMDB sees them.

LMDB believes what it finds: its pages carry no checksums, and one flipped bit in the right place
makes it show an older state, lose a key, or read beyond the file, which ends the process without a
word. Values have seals of their own; this is about everything else. A file at rest has exactly
these properties, and one flipped byte outside of a value breaks at least one of them:

1. The page that names the newest state is whole, and where the number says.
2. The state bears that number itself: an older one is not taken for the newest.
3. Every page is where it says, of the kind it should be; its items fill it without a gap, inside.
4. Keys ascend, within the bounds that the pages above set; depths and counts are as written down.
5. Every page is used once, or free, never both and never neither: an old version of a page is a
   free one.

It takes about 2 µs an item. So it is done at once for files that are small: the log always is, a
tree often. For the others see `scrub`.
"""

import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import attrs
from librt.strings import read_i16_le, read_i64_le

from coord.storage.errors import Damaged
from coord.storage.page_format import (
    BRANCH,
    HEAD,
    HEAD_BYTES,
    HOLDS_TREE,
    INTEGER_KEYS,
    KEPT_ELSEWHERE,
    LEAF,
    NO_ROOT,
    NODE_BYTES,
    NUMBER_AT,
    OVERFLOW,
    PAGE,
    RUN,
    TREE,
    Broken,
    Numbered,
    State,
    Tree,
    states_of,
    tree_at,
)
from coord.storage.seal import unseal

_DEPTH_MAX: Final = 32
_ITEMS_AT_ONCE: Final = 16


class Item(NamedTuple):
    """A key and where its value lies in the file."""

    key: bytes
    """The key."""
    flags: int
    """What the value is."""
    start: int
    """Offset of the value."""
    size: int
    """Its length in bytes."""


def check_pages(
    file: Path,
    damage: type[Damaged],
    databases: Mapping[bytes, bool],
    numbered: Numbered | None = None,
) -> None:
    """Check a file that nobody has open; one that is not there or empty is whole.

    `databases`: those that there may be, and whether all their values must be whole.
    """
    try:
        with file.open("rb") as opened:
            if not file.stat().st_size:
                return
            data = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
    except FileNotFoundError:
        return
    with data:
        try:
            hidden = _check(data, databases, numbered)
        except Broken as broken:
            raise damage(f"{file} is damaged: {broken}") from None
    if hidden is not None:
        at, number = hidden
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(PAGE.pack(number))
            opened.flush()
            os.fsync(opened.fileno())


def _check(
    data: mmap.mmap, databases: Mapping[bytes, bool], numbered: Numbered | None
) -> tuple[int, int] | None:
    """Check the newest state; where a number is to be put right, return the place and the number.

    The page of the older state may be torn: it was being overwritten when the power failed. When
    all but its number was written, it is a whole state, newer than the one that counts. It cannot
    be told from one that was acknowledged, and whose number is damaged: so that is what counts.
    """
    older, newest = states_of(data)
    if newest.number == 0:
        return None  # nothing was ever written
    if numbered is not None:
        hidden = attrs.evolve(older, number=newest.number + 1)
        if _is_whole(data, hidden, databases, numbered):
            place = ~newest.number & 1
            return place * newest.free.page_bytes + NUMBER_AT, hidden.number
        if _number(data, newest, numbered) not in (None, newest.number):
            raise Broken(f"its state {newest.number} is another one")
    Pages(data, newest).check(databases)
    return None


def _is_whole(
    data: mmap.mmap, state: State, databases: Mapping[bytes, bool], numbered: Numbered
) -> bool:
    """Whether a state, which may be torn, bears the number that it should have, and is whole."""
    try:
        if _number(data, state, numbered) != state.number:
            return False
        Pages(data, state).check(databases)
    except (Broken, struct.error):
        return False
    return True


def _number(data: mmap.mmap, state: State, numbered: Numbered) -> int | None:
    """Return the number that a state bears; None when it bears none."""
    pages = Pages(data, state)
    for item in list(pages.items(state.main)):
        if item.key == numbered.database and item.size == TREE.size:
            for record in pages.items(tree_at(data, item.start)):
                if record.key == numbered.key:
                    value = unseal(record.key, data[record.start : record.start + record.size])
                    if value is not None and len(value) == numbered.size:
                        return int.from_bytes(value[-8:], "big")
    return None


class Pages:
    """The pages of one state."""

    def __init__(self, data: mmap.mmap, state: State) -> None:
        self._data = data
        self._state = state
        self._page_bytes = state.free.page_bytes
        self._taken = bytearray(min(state.last_page, len(data) // self._page_bytes + 1) + 1)
        self._branches = self._leaves = self._overflow = 0

    def check(self, databases: Mapping[bytes, bool]) -> None:
        """Check the whole state."""
        for _ in self.steps(databases):
            pass

    def steps(self, databases: Mapping[bytes, bool]) -> Iterator[None]:
        """Check the whole state, a few items at a time."""
        self._take(0)
        self._take(1)
        for name, tree in self.trees(databases).items():
            for count, item in enumerate(self.items(tree)):
                self.check_value(item, is_sealed=databases[name])
                if count % _ITEMS_AT_ONCE == 0:
                    yield
        self._check_free()

    def trees(self, databases: Mapping[bytes, bool]) -> dict[bytes, Tree]:
        """Return the named databases."""
        found: dict[bytes, Tree] = {}
        for item in list(self.items(self._state.main)):
            if item.flags != HOLDS_TREE or item.size != TREE.size:
                raise Broken("it holds something else than databases")
            if item.key not in databases:
                raise Broken(f"there is no database {item.key!r}")
            found[item.key] = tree_at(self._data, item.start)
        return found

    def check_value(self, item: Item, *, is_sealed: bool = True) -> None:
        """Check that a value is no database, and what was written."""
        if item.flags & HOLDS_TREE:
            raise Broken("a database holds another one")
        value = self._data[item.start : item.start + item.size] if is_sealed else b""
        if is_sealed and unseal(item.key, value) is None:
            raise Broken(f"the record {item.key!r} is not what was written")

    def _check_free(self) -> None:
        """Check that all pages that are not in use are free, once each (property 5)."""
        freed: list[int] = []
        for item in self.items(self._state.free):
            count = PAGE.unpack_from(self._data, item.start)[0] if item.size >= PAGE.size else -1
            if not 0 <= count < item.size // PAGE.size:
                raise Broken("the list of free pages is damaged")
            first = item.start + PAGE.size
            freed += memoryview(self._data[first : first + count * PAGE.size]).cast("Q")
        for number in freed:
            if number > self._state.last_page:
                raise Broken("a page is free that was never used")
            if number < len(self._taken):
                self._take(number)
        unused = len(self._taken) - sum(self._taken)
        beyond = sum(number >= len(self._taken) for number in freed)
        if unused or len(self._taken) + beyond != self._state.last_page + 1:
            raise Broken("a page is neither in use nor free")

    def items(self, tree: Tree) -> Iterator[Item]:
        """Go through the items of a tree; when that is done, its figures were right."""
        branches, leaves, overflow = self._branches, self._leaves, self._overflow
        count = 0
        if tree.root == NO_ROOT:
            if tree.depth or tree.items:
                raise Broken("an empty database is not empty")
        else:
            if not 0 < tree.depth <= _DEPTH_MAX:
                raise Broken("a database is too deep")
            previous = b""
            order = tree.flags & INTEGER_KEYS
            for item in self._below(tree.root, tree.depth, b"", None, order):
                key = item.key[::-1] if order else item.key
                if count and key <= previous:
                    raise Broken("keys are out of order")
                previous = key
                count += 1
                yield item
        found = (self._branches - branches, self._leaves - leaves, self._overflow - overflow, count)
        if found != (tree.branches, tree.leaves, tree.overflow, tree.items):
            raise Broken("a database has lost or won something")

    def _below(
        self, number: int, depth: int, low: bytes, high: bytes | None, integers: int
    ) -> Iterator[Item]:
        """Go through the items of a page and those below it, whose keys lie within bounds."""
        if depth == 1:
            self._leaves += 1
            yield from self.leaf(number, low, high, integers)
            return
        self._branches += 1
        self._take(number)
        keys, children = self.branch(number, low, high, integers)
        for place, child in enumerate(children):
            upper = keys[place + 1] if place + 1 < len(keys) else high
            yield from self._below(child, depth - 1, keys[place], upper, integers)

    def branch(
        self, number: int, low: bytes, high: bytes | None, integers: int = 0
    ) -> tuple[list[bytes], list[int]]:
        """Return the pages below one, each with the key from which on it counts."""
        nodes = self._nodes(number, BRANCH)
        keys = [node[3][::-1] if integers else node[3] for node in nodes]
        keys[0] = low
        for place, key in enumerate(keys):
            upper = keys[place + 1] if place + 1 < len(keys) else high
            if upper is not None and upper <= key:
                raise Broken("pages are out of order")
        return keys, [low | flags << 32 for _start, low, flags, _key in nodes]

    def leaf(
        self, number: int, low: bytes, high: bytes | None, integers: int = 0
    ) -> Iterator[Item]:
        """Go through the items of a page, whose keys lie within bounds."""
        self._take(number)
        for start, size, flags, key in self._nodes(number, LEAF):
            order = key[::-1] if integers else key
            if order < low or (high is not None and order >= high):
                raise Broken("a key is in the wrong page")
            yield self._item(start, key, flags, size)

    def _item(self, start: int, key: bytes, flags: int, size: int) -> Item:
        """Return an item of a leaf, its value found where it lies."""
        at = start + NODE_BYTES + len(key)
        if flags & ~(KEPT_ELSEWHERE | HOLDS_TREE):
            raise Broken("an item is of no known kind")
        if flags & KEPT_ELSEWHERE:
            run = int(PAGE.unpack_from(self._data, at)[0])
            self._take_run(run, (HEAD_BYTES - 1 + size) // self._page_bytes + 1)
            at = run * self._page_bytes + HEAD_BYTES
        return Item(key, flags, at, size)

    def _take_run(self, first: int, count: int) -> None:
        """Note a run of pages that hold one value."""
        start = first * self._page_bytes
        if start + count * self._page_bytes > len(self._data):
            raise Broken("a value lies outside")
        number, _unused, kind, _lower, _upper = HEAD.unpack_from(self._data, start)
        (pages,) = RUN.unpack_from(self._data, start + 12)
        if (number, kind, pages) != (first, OVERFLOW, count):
            raise Broken(f"page {first} is no such page")
        for number in range(first, first + count):
            self._take(number)
        self._overflow += count

    def _nodes(self, number: int, wanted: int) -> list[tuple[int, int, int, bytes]]:
        """Return what a page holds, which is all there is in it (property 3).

        For each item: its offset, the 32 bits that begin it, its flags, its key.
        """
        page_bytes = self._page_bytes
        start = number * page_bytes
        page = self._data[start : start + page_bytes]
        if len(page) < page_bytes:
            raise Broken("a page lies outside")
        lower = _unsigned(page, 12)
        upper = _unsigned(page, 14)
        count = (lower - HEAD_BYTES) >> 1
        is_such = read_i64_le(page, 0) == number and _unsigned(page, 10) == wanted
        if not is_such or lower & 1 or count < 1:
            raise Broken(f"page {number} is no such page")
        if not lower <= upper <= page_bytes:
            raise Broken(f"page {number} is not filled as it says")
        found: list[tuple[int, int, int, bytes]] = []
        filled = 0
        for pointer in range(HEAD_BYTES, lower, 2):
            place = _unsigned(page, pointer)
            if not upper <= place <= page_bytes - NODE_BYTES:
                raise Broken(f"an item of page {number} lies outside")
            head: int = read_i64_le(page, place)
            low, flags, key_bytes = head & 0xFFFFFFFF, head >> 32 & 0xFFFF, head >> 48 & 0xFFFF
            size = NODE_BYTES + key_bytes
            if wanted == LEAF:
                size += PAGE.size if flags & KEPT_ELSEWHERE else low
            if place + size > page_bytes:
                raise Broken(f"an item of page {number} lies outside")
            filled += size + (size & 1)
            key_at = place + NODE_BYTES
            found.append((start + place, low, flags, page[key_at : key_at + key_bytes]))
        if filled != page_bytes - upper:
            raise Broken(f"page {number} is not filled as it says")
        return found

    def _take(self, number: int) -> None:
        """Note a page that is in use, or free."""
        if number >= len(self._taken):
            raise Broken("a page is in use that was never used")
        if self._taken[number]:
            raise Broken(f"page {number} has two uses")
        self._taken[number] = 1


def _unsigned(page: bytes, at: int) -> int:
    """Read a number of two bytes."""
    number: int = read_i16_le(page, at)
    return number & 0xFFFF
