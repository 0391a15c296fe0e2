"""Ranges of a tree on disk: the children of a node, the rows of a table."""

from collections.abc import Iterator
from contextlib import contextmanager

import lmdb

from coord.state.store import Table
from coord.storage.errors import DamagedTree
from coord.storage.flush import TreeFile
from coord.storage.keys import PREFIX_BYTES, PathKeys, name_in
from coord.storage.scrub import Passage, Scrub
from coord.storage.seal import unseal
from coord.storage.view import View


def stored_names(
    view: View,
    scrub: Scrub | None,
    file: TreeFile,
    keys: PathKeys,
    path: bytes,
    changed: dict[bytes, bool],
) -> Iterator[bytes]:
    """Go through the names that LMDB has below a path, but for those that changed."""
    plain, hashed = keys.prefixes_below(b"" if path == b"/" else path)
    with _finding_damage(), view.transaction.cursor(db=file.nodes) as cursor:
        for key in _keys_from(scrub, b"nodes", cursor, plain):
            if not key.startswith(plain):
                break
            name = key[PREFIX_BYTES:]
            if name not in changed and name:  # the root stands among its own children
                yield name
        for key, stored in _items_from(scrub, b"nodes", cursor, hashed):
            if not key.startswith(hashed):
                break
            value = unseal(key, stored)
            if value is None:
                raise DamagedTree(f"a child of {shown(path)} is damaged")
            name = name_in(value)
            if name not in changed:
                yield name


def stored_rows(
    view: View, scrub: Scrub | None, file: TreeFile, start: bytes
) -> Iterator[tuple[bytes, bytes]]:
    """Go through the rows in LMDB that begin so."""
    with _finding_damage(), view.transaction.cursor(db=file.rows) as cursor:
        for row, stored in _items_from(scrub, b"rows", cursor, start):
            if not row.startswith(start):
                return
            yield row, unsealed_row(row, stored)


def unsealed_row(row: bytes, stored: bytes) -> bytes:
    """Return the value of a row as it is stored; raises DamagedTree."""
    value = unseal(row, stored)
    if value is None:
        raise DamagedTree(f"a row of the table {Table(row[0]).name} is damaged")
    return value


def shown(path: bytes) -> str:
    """Return a path as people read it."""
    return repr(path.decode(errors="replace"))


@contextmanager
def _finding_damage() -> Iterator[None]:
    """Turn what LMDB says against its own pages into ours."""
    try:
        yield
    except lmdb.Error as error:
        raise DamagedTree(f"the tree is damaged: {error}") from error


def _keys_from(
    scrub: Scrub | None, name: bytes, cursor: "lmdb.Cursor[bytes]", start: bytes
) -> Iterator[bytes]:
    """Go through the keys of a database from one on."""
    passage = None if scrub is None else Passage(scrub, name, start)
    found = cursor.iternext(values=False) if cursor.set_range(start) else iter(())
    return found if passage is None else _passed_keys(passage, found)


def _items_from(
    scrub: Scrub | None, name: bytes, cursor: "lmdb.Cursor[bytes]", start: bytes
) -> Iterator[tuple[bytes, bytes]]:
    """Go through the keys and values of a database from one on."""
    passage = None if scrub is None else Passage(scrub, name, start)
    found = cursor.iternext() if cursor.set_range(start) else iter(())
    return found if passage is None else _passed_items(passage, found)


def _passed_keys(passage: Passage, found: Iterator[bytes]) -> Iterator[bytes]:
    for key in found:
        passage.reach(key)
        yield key
    passage.end()


def _passed_items(
    passage: Passage, found: Iterator[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes]]:
    for item in found:
        passage.reach(item[0])
        yield item
    passage.end()
