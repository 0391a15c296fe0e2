"""A subtree as it was at one moment: a mapping of paths to znodes.

The paths are those below the root of the subtree, as behind a chroot: "/" is the root itself.
"""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

from client.znodes import Znode


def parent_of(path: str) -> str:
    """Return the path of the parent; "/" for the root itself."""
    return path.rpartition("/")[0] or "/"


def child_of(path: str, name: str) -> str:
    """Return the path of a child."""
    return f"/{name}" if path == "/" else f"{path}/{name}"


class Nodes:
    """The znodes of a subtree and the names of their children, kept together."""

    __slots__ = ("names", "znodes")

    def __init__(self) -> None:
        self.znodes: dict[str, Znode] = {}
        """By path."""
        self.names: dict[str, set[str]] = {}
        """The names of those children that are here, by the path of the parent; never empty."""

    def put(self, path: str, znode: Znode) -> None:
        """Add a znode, or replace it."""
        if path not in self.znodes and path != "/":
            self.names.setdefault(parent_of(path), set()).add(path.rpartition("/")[2])
        self.znodes[path] = znode

    def remove(self, path: str) -> None:
        """Remove a znode, if it is here."""
        if self.znodes.pop(path, None) is None or path == "/":
            return
        parent = parent_of(path)
        names = self.names[parent]
        names.discard(path.rpartition("/")[2])
        if not names:
            del self.names[parent]

    def copy(self) -> "Nodes":
        """Return another with the same content."""
        other = Nodes()
        other.znodes = self.znodes.copy()
        other.names = {path: names.copy() for path, names in self.names.items()}
        return other


class Tree(Mapping[str, Znode]):
    """The znodes of a subtree as they all were at one moment; empty while there is no root.

    It never changes, but while it is kept the next change costs a copy of the whole.

        with cache.snapshot() as tree:
            primary = tree["/primary"].data
            others = [tree[f"/replicas/{name}"].data for name in tree.children("/replicas")]
    """

    __slots__ = ("__weakref__", "_nodes", "zxid")

    def __init__(self, nodes: Nodes, zxid: int) -> None:
        self._nodes = nodes
        self.zxid = zxid
        """The zxid of the moment: all changes up to this one are in here, and none after it."""

    def __getitem__(self, path: str) -> Znode:
        return self._nodes.znodes[path]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the paths, sorted: a parent comes before its children."""
        return iter(sorted(self._nodes.znodes))

    def __len__(self) -> int:
        return len(self._nodes.znodes)

    def __repr__(self) -> str:
        return f"<Tree of {len(self)} znodes at zxid {self.zxid:#x}>"

    def children(self, path: str = "/") -> list[str]:
        """Return the names of a znode's children, sorted; of one that is missing, none."""
        return sorted(self._nodes.names.get(path, ()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is given up: a tree lives as long as somebody refers to it."""
