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

It takes about 2 µs an item. So it is for files that are small: the log always is, a tree often.
"""

import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from struct import Struct
from typing import Final

import attrs

from coord.storage.errors import Damaged
from coord.storage.seal import unseal

_HEAD_BYTES: Final = 16
_HEAD: Final = Struct("<QHHHH")  # number, unused, kind, lower, upper
_META: Final = Struct("<IIQQ")  # magic, version, address, size of the map
_TREE: Final = Struct("<IHHQQQQQ")
_ENDS: Final = Struct("<QQ")  # last page, number of the transaction
_NODE: Final = Struct("<HHHH")  # size or page (low, high), flags or page, size of the key
_NODE_BYTES: Final = 8
_PAGE: Final = Struct("<Q")
_RUN: Final = Struct("<I")  # pages of an overflow run, where lower and upper stand else

_MAGIC: Final = 0xBEEFC0DE
_VERSION: Final = 1
_BRANCH, _LEAF, _OVERFLOW, _META_PAGE = 1, 2, 4, 8
_KEPT_ELSEWHERE, _HOLDS_TREE = 1, 2
_INTEGER_KEYS: Final = 8
_NO_ROOT: Final = (1 << 64) - 1
_NUMBER_AT: Final = _HEAD_BYTES + _META.size + 2 * _TREE.size + 8
_DEPTH_MAX: Final = 32


class _Broken(Exception):  # noqa: N818 - never leaves this module
    """One of the properties does not hold."""


@attrs.frozen
class _Tree:
    """A tree of keys in the file."""

    page_bytes: int
    """Size of a page; in the tree of free pages only."""
    flags: int
    """How its keys are ordered."""
    depth: int
    """Pages from the root to a leaf, both counted; 0 when it is empty."""
    branches: int
    """Pages above the leaves."""
    leaves: int
    """Pages with items."""
    overflow: int
    """Pages of values that have pages of their own."""
    items: int
    """How many."""
    root: int
    """Its highest page."""


@attrs.frozen
class _State:
    """A state of the whole file, as one of its first two pages names it."""

    free: _Tree
    """Free pages by the transaction that freed them."""
    main: _Tree
    """The named databases."""
    last_page: int
    """The greatest that was ever used."""
    number: int
    """The transaction that made it."""


@attrs.frozen
class Item:
    """A key and where its value lies in the file."""

    key: bytes
    """The key."""
    flags: int
    """What the value is."""
    start: int
    """Offset of the value."""
    size: int
    """Its length in bytes."""


@attrs.frozen
class Numbered:
    """A sealed value that ends with the number of the transaction that wrote the state."""

    database: bytes
    """Where it is."""
    key: bytes
    """Its key."""
    size: int
    """Its length without the seal; another one bears no number."""


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
        except _Broken as broken:
            raise damage(f"{file} is damaged: {broken}") from None
    if hidden is not None:
        at, number = hidden
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(_PAGE.pack(number))
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
    first = _named_state(data, 0, 0)
    page_bytes = first.free.page_bytes
    states = [first, _named_state(data, 1, page_bytes)]
    older, newest = sorted(states, key=lambda state: state.number)
    if newest.number == 0:
        return None  # nothing was ever written
    if states[newest.number & 1] is not newest:
        raise _Broken("its two states have changed places")
    if numbered is not None:
        hidden = attrs.evolve(older, number=newest.number + 1)
        if _is_whole(data, hidden, databases, numbered):
            return states.index(older) * page_bytes + _NUMBER_AT, hidden.number
        if _number(data, newest, numbered) not in (None, newest.number):
            raise _Broken(f"its state {newest.number} is another one")
    _Pages(data, newest).check(databases)
    return None


def _is_whole(
    data: mmap.mmap, state: _State, databases: Mapping[bytes, bool], numbered: Numbered
) -> bool:
    """Whether a state, which may be torn, bears the number that it should have, and is whole."""
    try:
        if _number(data, state, numbered) != state.number:
            return False
        _Pages(data, state).check(databases)
    except (_Broken, struct.error):
        return False
    return True


def _number(data: mmap.mmap, state: _State, numbered: Numbered) -> int | None:
    """Return the number that a state bears; None when it bears none."""
    pages = _Pages(data, state)
    for item in list(pages.items(state.main)):
        if item.key == numbered.database and item.size == _TREE.size:
            for record in pages.items(_tree(data, item.start)):
                if record.key == numbered.key:
                    value = unseal(record.key, data[record.start : record.start + record.size])
                    if value is not None and len(value) == numbered.size:
                        return int.from_bytes(value[-8:], "big")
    return None


def _named_state(data: mmap.mmap, place: int, page_bytes: int) -> _State:
    """Read one of the two pages that name a state."""
    start = place * page_bytes
    if start + 4096 > len(data):
        raise _Broken("it is cut off")
    number, _unused, kind, _lower, _upper = _HEAD.unpack_from(data, start)
    at = start + _HEAD_BYTES
    magic, version, address, _map_bytes = _META.unpack_from(data, at)
    at += _META.size
    free, main = _tree(data, at), _tree(data, at + _TREE.size)
    last_page, transaction = _ENDS.unpack_from(data, at + 2 * _TREE.size)
    size = free.page_bytes
    is_plain = (magic, version, number, kind, address) == (_MAGIC, _VERSION, place, _META_PAGE, 0)
    is_sized = size >= 4096 and not size & (size - 1) and size == (page_bytes or size)
    if not is_plain or not is_sized or (free.flags, main.flags) != (_INTEGER_KEYS, 0):
        raise _Broken(f"page {place} is no such page")
    return _State(free, main, last_page, transaction)


def _tree(data: mmap.mmap, at: int) -> _Tree:
    return _Tree(*_TREE.unpack_from(data, at))


class _Pages:
    """The pages of one state."""

    def __init__(self, data: mmap.mmap, state: _State) -> None:
        self._data = data
        self._state = state
        self._page_bytes = state.free.page_bytes
        self._taken = bytearray(min(state.last_page, len(data) // self._page_bytes + 1) + 1)
        self._branches = self._leaves = self._overflow = 0

    def check(self, databases: Mapping[bytes, bool]) -> None:
        """Check the whole state."""
        self._take(0)
        self._take(1)
        for item in list(self.items(self._state.main)):
            if item.flags != _HOLDS_TREE or item.size != _TREE.size:
                raise _Broken("it holds something else than databases")
            if item.key not in databases:
                raise _Broken(f"there is no database {item.key!r}")
            tree = _tree(self._data, item.start)
            self._check_values(item.key, tree, is_sealed=databases[item.key])
        self._check_free()

    def _check_values(self, name: bytes, tree: _Tree, *, is_sealed: bool) -> None:
        data = self._data
        for item in self.items(tree):
            if item.flags & _HOLDS_TREE:
                raise _Broken(f"{name.decode()!r} holds another database")
            if is_sealed and unseal(item.key, data[item.start : item.start + item.size]) is None:
                raise _Broken(f"the record {item.key!r} is not what was written")

    def _check_free(self) -> None:
        """Check that all pages that are not in use are free, once each (property 5)."""
        freed: list[int] = []
        for item in self.items(self._state.free):
            count = _PAGE.unpack_from(self._data, item.start)[0] if item.size >= _PAGE.size else -1
            if not 0 <= count < item.size // _PAGE.size:
                raise _Broken("the list of free pages is damaged")
            freed += memoryview(self._data[item.start : item.start + item.size]).cast("Q")[
                1 : count + 1
            ]
        for number in freed:
            if number > self._state.last_page:
                raise _Broken("a page is free that was never used")
            if number < len(self._taken):
                self._take(number)
        unused = len(self._taken) - sum(self._taken)
        beyond = sum(number >= len(self._taken) for number in freed)
        if unused or len(self._taken) + beyond != self._state.last_page + 1:
            raise _Broken("a page is neither in use nor free")

    def items(self, tree: _Tree) -> Iterator[Item]:
        """Go through the items of a tree; when that is done, its figures were right."""
        branches, leaves, overflow = self._branches, self._leaves, self._overflow
        count = 0
        if tree.root == _NO_ROOT:
            if tree.depth or tree.items:
                raise _Broken("an empty database is not empty")
        else:
            if not 0 < tree.depth <= _DEPTH_MAX:
                raise _Broken("a database is too deep")
            previous = b""
            order = tree.flags & _INTEGER_KEYS
            for item in self._below(tree.root, tree.depth, b"", None, order):
                key = item.key[::-1] if order else item.key
                if count and key <= previous:
                    raise _Broken("keys are out of order")
                previous = key
                count += 1
                yield item
        found = (self._branches - branches, self._leaves - leaves, self._overflow - overflow, count)
        if found != (tree.branches, tree.leaves, tree.overflow, tree.items):
            raise _Broken("a database has lost or won something")

    def _below(
        self, number: int, depth: int, low: bytes, high: bytes | None, integers: int
    ) -> Iterator[Item]:
        """Go through the items of a page and those below it, whose keys lie within bounds."""
        nodes = self._nodes(number, _LEAF if depth == 1 else _BRANCH)
        if depth == 1:
            self._leaves += 1
            for start, first, second, flags, key in nodes:
                order = key[::-1] if integers else key
                if order < low or (high is not None and order >= high):
                    raise _Broken("a key is in the wrong page")
                yield self._item(start, key, flags, first | second << 16)
            return
        self._branches += 1
        keys = [node[4][::-1] if integers else node[4] for node in nodes]
        keys[0] = low
        for place, (_start, first, second, flags, _key) in enumerate(nodes):
            upper = keys[place + 1] if place + 1 < len(keys) else high
            if upper is not None and upper <= keys[place]:
                raise _Broken("pages are out of order")
            child = first | second << 16 | flags << 32
            yield from self._below(child, depth - 1, keys[place], upper, integers)

    def _item(self, start: int, key: bytes, flags: int, size: int) -> Item:
        """Return an item of a leaf, its value found where it lies."""
        at = start + _NODE_BYTES + len(key)
        if flags & ~(_KEPT_ELSEWHERE | _HOLDS_TREE):
            raise _Broken("an item is of no known kind")
        if flags & _KEPT_ELSEWHERE:
            run = int(_PAGE.unpack_from(self._data, at)[0])
            self._take_run(run, (_HEAD_BYTES - 1 + size) // self._page_bytes + 1)
            at = run * self._page_bytes + _HEAD_BYTES
        return Item(key, flags, at, size)

    def _take_run(self, first: int, count: int) -> None:
        """Note a run of pages that hold one value."""
        start = first * self._page_bytes
        if start + count * self._page_bytes > len(self._data):
            raise _Broken("a value lies outside")
        number, _unused, kind, _lower, _upper = _HEAD.unpack_from(self._data, start)
        (pages,) = _RUN.unpack_from(self._data, start + 12)
        if (number, kind, pages) != (first, _OVERFLOW, count):
            raise _Broken(f"page {first} is no such page")
        for number in range(first, first + count):
            self._take(number)
        self._overflow += count

    def _nodes(self, number: int, wanted: int) -> list[tuple[int, int, int, int, bytes]]:
        """Return what a page holds, which is all there is in it (property 3)."""
        data, page_bytes = self._data, self._page_bytes
        start = number * page_bytes
        if start + page_bytes > len(data):
            raise _Broken("a page lies outside")
        self._take(number)
        itself, _unused, kind, lower, upper = _HEAD.unpack_from(data, start)
        count = (lower - _HEAD_BYTES) >> 1
        if itself != number or kind != wanted or lower & 1 or count < 1:
            raise _Broken(f"page {number} is no such page")
        if not lower <= upper <= page_bytes:
            raise _Broken(f"page {number} is not filled as it says")
        found: list[tuple[int, int, int, int, bytes]] = []
        filled = 0
        for place in memoryview(data[start + _HEAD_BYTES : start + lower]).cast("H"):
            if not upper <= place <= page_bytes - _NODE_BYTES:
                raise _Broken(f"an item of page {number} lies outside")
            at = start + place
            first, second, flags, key_bytes = _NODE.unpack_from(data, at)
            size = _NODE_BYTES + key_bytes
            if wanted == _LEAF:
                size += _PAGE.size if flags & _KEPT_ELSEWHERE else first | second << 16
            if place + size > page_bytes:
                raise _Broken(f"an item of page {number} lies outside")
            filled += size + (size & 1)
            key_at = at + _NODE_BYTES
            found.append((at, first, second, flags, data[key_at : key_at + key_bytes]))
        if filled != page_bytes - upper:
            raise _Broken(f"page {number} is not filled as it says")
        return found

    def _take(self, number: int) -> None:
        """Note a page that is in use, or free."""
        if number >= len(self._taken):
            raise _Broken("a page is in use that was never used")
        if self._taken[number]:
            raise _Broken(f"page {number} has two uses")
        self._taken[number] = 1
