"""What is there before the first operation: the keys and four znodes, as in ZooKeeper."""

from typing import Final

from coord import jute
from coord.state.paths import ROOT
from coord.state.permissions import OPEN_ACL, READ_ACL
from coord.state.record import STAT, Kind, new_head, new_record
from coord.state.settings import Settings
from coord.state.store import PATH_KEY, Table
from coord.state.tree import Tree

SETTINGS_KEY: Final = b"settings"
CONFIG_PATH: Final = b"/zookeeper/config"
SPECIAL_PATHS: Final = frozenset((ROOT, b"/zookeeper", b"/zookeeper/quota", CONFIG_PATH))
"""What cannot be deleted."""

_EMPTY: Final = bytes(4)
"""A jute buffer of no bytes; not null."""


def found(tree: Tree, settings: Settings) -> None:
    """Put the keys and the first znodes into an empty tree, the path key before all else."""
    tree.put_row(Table.META, PATH_KEY, settings.path_key)
    tree.put_row(Table.META, SETTINGS_KEY, jute.encode(settings))
    # These children were never counted as created: so do ZooKeeper's, and the first sequence
    # number below the root is 0. cversion is 2 * creates - children everywhere.
    _put(tree, ROOT, OPEN_ACL, children=1)
    _put(tree, b"/zookeeper", OPEN_ACL, children=2)
    _put(tree, b"/zookeeper/quota", OPEN_ACL, children=0)
    _put(tree, CONFIG_PATH, READ_ACL, children=0, aversion=-1)


def put_configuration(tree: Tree, text: bytes, zxid: int, time_ms: int) -> None:
    """Write the contents of /zookeeper/config; its version is always -1."""
    old = tree.store.get(CONFIG_PATH)
    assert old is not None, "the tree was founded"
    data = len(text).to_bytes(4) + text
    stat = STAT.pack(0, zxid, 0, time_ms, -1, 0, -1, 0, len(text), 0, 0)
    new = new_record(CONFIG_PATH, new_head(Kind.PERSISTENT, 0, READ_ACL), data, stat)
    tree.replace(CONFIG_PATH, old, new)


def settings_of(tree: Tree) -> Settings | None:
    """Return the replicated settings; None before the first configuration was applied."""
    stored = tree.row(Table.META, SETTINGS_KEY)
    return None if stored is None else jute.decode_all(Settings, stored)


def _put(tree: Tree, path: bytes, acl: bytes, *, children: int, aversion: int = 0) -> None:
    stat = STAT.pack(0, 0, 0, 0, 0, -children, aversion, 0, 0, children, 0)
    record = new_record(path, new_head(Kind.PERSISTENT, 0, acl), _EMPTY, stat)
    tree.replace(path, None, record)
    tree.node_count += 1
    tree.data_bytes += len(path)
