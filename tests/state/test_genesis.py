"""What is there before the first operation."""

import pytest

from coord.state import genesis
from coord.state import record as znode
from coord.state.dict_store import DictStore
from coord.state.permissions import OPEN_ACL, READ_ACL
from coord.state.settings import FORMAT_LEVEL, Settings
from coord.state.store import PATH_KEY, Table
from coord.state.tree import Tree
from tests.state.trees import SETTINGS, check


class Watched(DictStore):
    """Notes what is put first."""

    def __init__(self) -> None:
        super().__init__()
        self.first: tuple | None = None

    def put(self, path: bytes, record: bytes) -> None:
        self.first = self.first or ("node", path)
        super().put(path, record)

    def put_row(self, table: Table, key: bytes, value: bytes) -> None:
        self.first = self.first or ("row", table, key, value[4:])
        super().put_row(table, key, value)


def test_a_founded_tree_is_zookeepers_with_the_path_key_first():
    store = Watched()
    tree = Tree(store)
    genesis.found(tree, SETTINGS)
    assert store.first == ("row", Table.META, PATH_KEY, SETTINGS.path_key)
    assert tree.node_count == 4
    check(tree)
    assert genesis.settings_of(tree) == SETTINGS
    assert znode.acl_of(store.get(genesis.CONFIG_PATH)) == READ_ACL


def test_settings_of_a_newer_format_are_refused():
    tree = Tree(DictStore())
    newer = Settings(FORMAT_LEVEL + 1, b"", b"", None, ttl_nodes=False)
    genesis.found(tree, newer)
    with pytest.raises(ValueError, match="newer"):
        genesis.settings_of(tree)


def test_before_it_is_founded_a_tree_has_empty_settings():
    settings = genesis.settings_of(Tree(DictStore()))
    assert settings == Settings(FORMAT_LEVEL, b"", b"", None, ttl_nodes=False)


def test_only_the_configuration_is_closed_to_the_world():
    tree = Tree(DictStore())
    genesis.found(tree, SETTINGS)
    acls = {path: znode.acl_of(tree.store.get(path)) for path in genesis.SPECIAL_PATHS}
    assert acls.pop(genesis.CONFIG_PATH) == READ_ACL
    assert set(acls.values()) == {OPEN_ACL}
