"""Which paths a znode may have; paths are UTF-8 bytes here."""

import re
from typing import Final

ROOT: Final = b"/"

# Where the parent exists, its path is legal: then only the name has to be looked at.
_is_plain: Final = re.compile(rb"[ -.0-~]+").fullmatch
# UTF-16 units that ZooKeeper forbids; characters beyond 16 bits are pairs of d800-dfff there.
_is_printable: Final = re.compile(
    r"[^/\0-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff\U00010000-\U0010ffff]+"
).fullmatch


def is_name(name: bytes) -> bool:
    """Tell whether this may be the last part of a path."""
    if name.isalnum():
        return True
    if _is_plain(name):
        return name not in (b".", b"..")
    try:
        return _is_printable(name.decode()) is not None
    except UnicodeDecodeError:
        return False


def is_path(path: bytes) -> bool:
    """Tell whether a znode may have this path."""
    if path == ROOT:
        return True
    first, *names = path.split(b"/")
    return not first and bool(names) and all(map(is_name, names))


def parent_of(path: bytes) -> bytes:
    """Return the path of the parent; the root's is the root."""
    return path[: path.rfind(b"/")] or ROOT


def child_of(parent: bytes, name: bytes) -> bytes:
    """Return the path of a child."""
    return b"%b/%b" % (b"" if parent == ROOT else parent, name)


def ancestors(path: bytes) -> list[bytes]:
    """Return the ancestors from the parent up, without the root."""
    found = []
    cut = len(path)
    while (cut := path.rfind(b"/", 0, cut)) > 0:
        found.append(path[:cut])
    return found
