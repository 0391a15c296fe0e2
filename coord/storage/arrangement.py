"""The changes of a layer in the order in which LMDB holds them, found out a little at a time.

A layer has its changes in the order of time; put in the order of their keys, those that share a
page meet it in one go. Children of one parent lie together in LMDB, and most often they come in the
order of their names. So changes are gathered by parents, and each family is sorted by itself.

Every generator here yields nothing, or empty lists, where it has looked at, or sorted, `run` of
something and has nothing to show for it.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Any, Final, TypeVar

from coord.storage.ends import Ends
from coord.storage.keys import NAME_MAX, PathKeys, value_of

Change = tuple[bytes, bytes | None]
"""A key, or the name of a child; then what is to stand there, or None for what was deleted."""
Item = TypeVar("Item")
Pair = TypeVar("Pair", bound=tuple[bytes, Any])

_SLASH: Final = b"/"[0]
_KEY: Final = itemgetter(0)
_PAGE_SHARE: Final = 2000
"""Bytes that share a page of 4 KiB at the least: half of it, after a split."""
_NODE_BYTES: Final = 40
"""What a record takes there beside itself and its name: the rest of the key, checksum, headers."""


class Arrangement:
    """The changes of one layer, which stays as it is meanwhile."""

    def __init__(
        self, records: dict[bytes, bytes | None], keys: PathKeys, ends: Ends, run: int
    ) -> None:
        """`ends` is of the tree as it is before. `gather` comes first; then `in_order`, once."""
        self.records = records
        """The changes in the order of time, by path or by the key of a row."""
        self._keys = keys
        self._ends = ends
        self._run = run
        self.pages_max = 0
        """Leaves of LMDB that have to be changed, at the most; known when all is gathered."""
        self._bytes = 0
        self._rows: list[Change] = []
        # By parent: the names of its children that were changed, with their records.
        self._families: dict[bytes, list[Change]] = {}

    def gather(self) -> Iterator[None]:
        """Find out which changes belong together, and how many pages they touch at the most.

        New children behind all that LMDB has share their pages; every other change may have a page
        of its own, and split it, and so may a name that is hashed in its key.
        """
        for items in slices(self.records.items(), self._run):
            self._enter(items)
            yield
        self.pages_max += 2 * len(self._rows) + self._bytes // _PAGE_SHARE
        for families in slices(self._families.items(), self._run):
            for parent, family in families:
                is_behind = self._ends.come_before(parent, min(family, key=_KEY)[0])
                self.pages_max += 3 if is_behind else 2 * len(family)
            yield

    def in_order(self, turn: int) -> Iterator[tuple[list[Change], list[Change]]]:
        """Yield changes of rows and of nodes, by their keys, about `turn` of them at a time."""
        for rows in _in_order(self._rows, self._run, turn):
            yield rows, []
        for nodes in self._nodes(turn):
            yield [], nodes

    def _enter(self, items: list[Change]) -> None:
        """Enter rows as they are, and nodes by their names under their parents."""
        families = self._families
        size = 0
        for path, record in items:
            if record is not None:
                size += len(record)
            if path[0] != _SLASH:
                self._rows.append((path, record))
                continue
            cut = path.rfind(b"/")
            parent, name = path[:cut], path[cut + 1 :]
            size += len(name) + _NODE_BYTES
            if len(name) > NAME_MAX:
                self.pages_max += 2
            family = families.get(parent)
            if family is None:
                families[parent] = [(name, record)]
            else:
                family.append((name, record))
        self._bytes += size

    def _nodes(self, turn: int) -> Iterator[list[Change]]:
        """Go through the families in the order of their keys, and through each by its names."""
        keys, families, run = self._keys, self._families, self._run
        order: list[tuple[bytes, bytes]] = []
        for parents in slices(families, run):
            order += [(keys.prefix_below(parent), parent) for parent in parents]
            yield []
        nodes: list[Change] = []
        for prefixes in _in_order(order, run, run):
            yield []
            for prefix, parent in prefixes:
                for changes in _in_order(families.pop(parent), run, turn):
                    if not changes:
                        yield []
                    for name, record in changes:
                        value = None if record is None else value_of(name, record)
                        nodes.append((keys.key_below(prefix, name), value))
                    if len(nodes) >= turn:
                        yield nodes
                        nodes = []
        yield nodes


def slices(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut something into lists of bounded length."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _in_order(pairs: list[Pair], run: int, size: int) -> Iterator[list[Pair]]:
    """Sort pairs by their keys, which are all different, and yield so many of them at a time."""
    runs: list[list[Pair]] = []
    for part in slices(pairs, run):
        part.sort(key=_KEY)
        runs.append(part)
        if len(part) == run:
            yield []
    while len(runs) > 1:
        first, second, *rest = runs
        first += second
        first.sort(key=_KEY)  # a sort finds the runs in its input
        runs = [*rest, first]
        yield []
    for part in runs:
        yield from slices(part, size)
