"""The tree as one would write it in ten minutes: dictionaries, no digest, no indexes, no speed."""

import copy

import attrs

from coord.wire.records import Stat

SPECIAL = ("/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config")
RUNTIME_INCONSISTENCY = -2


class ModelError(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


@attrs.define
class Node:
    data: bytes
    czxid: int
    ctime: int
    kind: str = "persistent"
    owner: int = 0
    ttl: int = 0
    creates: int = 0
    deletes: int = 0
    version: int = 0
    mzxid: int = 0
    mtime: int = 0
    pzxid: int = 0


class Model:
    def __init__(self) -> None:
        self.nodes = {path: Node(b"", 0, 0) for path in SPECIAL}
        # The first children were never counted as created.
        self.uncounted = {"/": 1, "/zookeeper": 2}
        self.zxid = 0
        self.now = 0

    def children(self, path: str) -> list[str]:
        prefix = path.rstrip("/") + "/"
        below = [each for each in self.nodes if each.startswith(prefix) and each != "/"]
        return [each[len(prefix) :] for each in below if "/" not in each[len(prefix) :]]

    def descendants(self, path: str) -> int:
        prefix = path.rstrip("/") + "/"
        return sum(1 for each in self.nodes if each.startswith(prefix) and each != "/")

    def ephemerals(self, session: int) -> list[str]:
        return sorted(path for path, node in self.nodes.items() if node.owner == session)

    def stat(self, path: str) -> Stat:
        node = self.nodes[path]
        children = len(self.children(path))
        return Stat(
            node.czxid, node.mzxid, node.ctime, node.mtime, node.version,
            node.creates + node.deletes - self.uncounted.get(path, 0),
            0, node.owner, len(node.data), children, node.pzxid,
        )  # fmt: skip

    def create(self, session: int, path: str, data: bytes, kind: str, *, numbered: bool, ttl=0):
        parent_path, _, _ = path.rpartition("/")
        parent_path = parent_path or "/"
        parent = self.nodes.get(parent_path)
        if parent is None:
            raise ModelError(-101)
        if numbered:
            path = f"{path}{parent.creates:010d}"
        if path != "/" and path.endswith("/"):
            raise ModelError(-8)
        if path in self.nodes:
            raise ModelError(-110)
        if parent.owner:
            raise ModelError(-108)
        node = Node(data, self.zxid, self.now, kind, ttl=ttl)
        node.owner = session if kind == "ephemeral" else 0
        node.mzxid = node.pzxid = self.zxid
        node.mtime = self.now
        self.nodes[path] = node
        parent.creates += 1
        parent.pzxid = self.zxid
        return path

    def delete(self, path: str, version: int) -> None:
        if path in SPECIAL:
            raise ModelError(-8)
        if path not in self.nodes:
            raise ModelError(-101)
        self.demand(path, version)
        if self.children(path):
            raise ModelError(-111)
        self.remove(path)

    def remove(self, path: str) -> None:
        del self.nodes[path]
        parent = self.nodes[path.rpartition("/")[0] or "/"]
        parent.deletes += 1
        parent.pzxid = self.zxid

    def set_data(self, path: str, data: bytes, version: int) -> None:
        self.demand(path, version)
        node = self.nodes[path]
        node.data, node.mzxid, node.mtime = data, self.zxid, self.now
        node.version += 1

    def demand(self, path: str, version: int) -> None:
        if path not in self.nodes:
            raise ModelError(-101 if path == "/" or not path.endswith("/") else -8)
        if version not in (-1, self.nodes[path].version):
            raise ModelError(-103)

    def close(self, session: int) -> None:
        for path in self.ephemerals(session):
            self.remove(path)

    def reapable(self) -> list[str]:
        return sorted(
            path
            for path, node in self.nodes.items()
            if not self.children(path)
            and (
                (node.kind == "ttl" and self.now > node.mtime + node.ttl)
                or (node.kind == "container" and node.creates)
                or (node.kind == "container" and self.now > node.mtime + 300_000)
            )
        )

    def all_or_nothing(self, parts) -> list[int]:
        """Do the parts; return a code for each: all 0, or all errors and nothing was done."""
        before = copy.deepcopy(self.nodes)
        for done, part in enumerate(parts):
            try:
                part()
            except ModelError as failure:
                self.nodes = before
                left = len(parts) - done - 1
                return [0] * done + [failure.code] + [RUNTIME_INCONSISTENCY] * left
        return [0] * len(parts)
