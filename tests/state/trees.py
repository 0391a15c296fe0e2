"""Trees for tests, and what must hold of every one of them."""

from coord.state import genesis, rows
from coord.state import record as znode
from coord.state.dict_store import DictStore
from coord.state.paths import parent_of
from coord.state.permissions import OPEN_ACL
from coord.state.record import Kind, new_head
from coord.state.settings import FORMAT_LEVEL, Settings
from coord.state.store import Table
from coord.state.tree import Tree, recompute_digest

SETTINGS = Settings(FORMAT_LEVEL, b"p" * 32, b"k" * 16, None, ttl_nodes=True)


def founded() -> Tree:
    tree = Tree(DictStore())
    genesis.found(tree, SETTINGS)
    return tree


def create(tree: Tree, path: bytes, kind=Kind.PERSISTENT, owner=0, ttl_ms=0, data=b"x") -> None:
    tree.zxid += 1
    parent = parent_of(path)
    head = new_head(kind, ttl_ms, OPEN_ACL)
    buffer = len(data).to_bytes(4) + data
    tree.create(path, (parent, tree.store.get(parent)), head, buffer, owner)
    tree.settle()


def delete(tree: Tree, path: bytes) -> None:
    tree.zxid += 1
    parent = parent_of(path)
    tree.delete(path, tree.store.get(path), (parent, tree.store.get(parent)))


def check(tree: Tree) -> None:
    """The rules 1 to 5 of the module, the slow way."""
    tree.save()
    assert recompute_digest(tree.store) == tree.digest
    assert Tree(tree.store).digest == tree.digest
    found = {}
    paths = [b"/"]
    while paths:
        path = paths.pop()
        found[path] = tree.store.get(path)
        assert znode.is_intact(path, found[path])
        paths += [path.rstrip(b"/") + b"/" + name for name in tree.store.children(path)]
    assert len(found) == tree.node_count
    for path, record in found.items():
        assert znode.children_of(record) == len(tree.store.children(path))
        below = [p for p in found if p.startswith(path.rstrip(b"/") + b"/") and p != b"/"]
        assert tree.descendants(path, record) == len(below)
    owned = {p: r for p, r in found.items() if znode.owner_of(r)}
    listed = {value[4:]: rows.session_id_of(k) for k, value in tree.store.rows(Table.EPHEMERALS)}
    assert listed == {p: znode.owner_of(r) for p, r in owned.items()}
    assert tree.ephemeral_count == len(owned)
    mortal = {
        p
        for p, r in found.items()
        if r[znode.KIND_AT] in (Kind.CONTAINER, Kind.TTL) and not znode.children_of(r)
    }
    assert {value[4:] for _, value in tree.store.rows(Table.REAPABLE)} == mortal
    for table in Table:
        for key, value in tree.store.rows(table):
            assert rows.is_intact(table, key, value)
