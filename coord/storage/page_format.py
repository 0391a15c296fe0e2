"""How LMDB writes a file: the fields of its pages, and the two states that its first pages name."""

import mmap
from struct import Struct
from typing import Final

import attrs

HEAD_BYTES: Final = 16
HEAD: Final = Struct("<QHHHH")  # number, unused, kind, lower, upper
META: Final = Struct("<IIQQ")  # magic, version, address, size of the map
TREE: Final = Struct("<IHHQQQQQ")
ENDS: Final = Struct("<QQ")  # last page, number of the transaction
NODE_BYTES: Final = 8  # size or page (low, high), flags or page, size of the key: u16 each
PAGE: Final = Struct("<Q")
RUN: Final = Struct("<I")  # pages of an overflow run, where lower and upper stand else

MAGIC: Final = 0xBEEFC0DE
VERSION: Final = 1
BRANCH, LEAF, OVERFLOW, META_PAGE = 1, 2, 4, 8
KEPT_ELSEWHERE, HOLDS_TREE = 1, 2
INTEGER_KEYS: Final = 8
NO_ROOT: Final = (1 << 64) - 1
NUMBER_AT: Final = HEAD_BYTES + META.size + 2 * TREE.size + 8


class Broken(Exception):  # noqa: N818 - never leaves this package
    """One of the properties does not hold."""


@attrs.frozen
class Tree:
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
class State:
    """A state of the whole file, as one of its first two pages names it."""

    free: Tree
    """Free pages by the transaction that freed them."""
    main: Tree
    """The named databases."""
    last_page: int
    """The greatest that was ever used."""
    number: int
    """The transaction that made it."""


@attrs.frozen
class Numbered:
    """A sealed value that ends with the number of the transaction that wrote the state."""

    database: bytes
    """Where it is."""
    key: bytes
    """Its key."""
    size: int
    """Its length without the seal; another one bears no number."""


def states_of(data: mmap.mmap) -> tuple[State, State]:
    """Return the two states that a file has, the newest last."""
    first = _named_state(data, 0, 0)
    states = [first, _named_state(data, 1, first.free.page_bytes)]
    older, newest = sorted(states, key=lambda state: state.number)
    if newest.number and states[newest.number & 1] is not newest:
        raise Broken("its two states have changed places")
    return older, newest


def _named_state(data: mmap.mmap, place: int, page_bytes: int) -> State:
    """Read one of the two pages that name a state."""
    start = place * page_bytes
    if start + 4096 > len(data):
        raise Broken("it is cut off")
    number, _unused, kind, _lower, _upper = HEAD.unpack_from(data, start)
    at = start + HEAD_BYTES
    magic, version, address, _map_bytes = META.unpack_from(data, at)
    at += META.size
    free, main = tree_at(data, at), tree_at(data, at + TREE.size)
    last_page, transaction = ENDS.unpack_from(data, at + 2 * TREE.size)
    size = free.page_bytes
    is_plain = (magic, version, number, kind, address) == (MAGIC, VERSION, place, META_PAGE, 0)
    is_sized = size >= 4096 and not size & (size - 1) and size == (page_bytes or size)
    if not is_plain or not is_sized or (free.flags, main.flags) != (INTEGER_KEYS, 0):
        raise Broken(f"page {place} is no such page")
    return State(free, main, last_page, transaction)


def tree_at(data: mmap.mmap, at: int) -> Tree:
    """Read what names a tree."""
    return Tree(*TREE.unpack_from(data, at))
