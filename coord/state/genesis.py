"""What is there before the first operation: the keys and four znodes, as in ZooKeeper."""

from typing import Final

import attrs

from coord import jute
from coord.state.paths import ROOT
from coord.state.permissions import OPEN_ACL, READ_ACL
from coord.state.record import STAT, Kind, acl_of, data_length_of, new_head, sealed, stat_of
from coord.state.settings import FORMAT_LEVEL, Settings
from coord.state.store import PATH_KEY, Table
from coord.state.tree import Tree

SETTINGS_KEY: Final = b"settings"
CONFIG_PATH: Final = b"/zookeeper/config"
SPECIAL_PATHS: Final = frozenset((ROOT, b"/zookeeper", b"/zookeeper/quota", CONFIG_PATH))
"""What cannot be deleted."""

_UNFOUNDED: Final = Settings(FORMAT_LEVEL, b"", b"", super_digest=None, ttl_nodes=False)

_EMPTY: Final = bytes(4)
"""A jute buffer of no bytes; not null."""


def found(tree: Tree, settings: Settings) -> None:
    """Put the keys and the first znodes into an empty tree, the path key before all else."""
    tree.put_row(Table.META, PATH_KEY, settings.path_key)
    put_settings(tree, settings)
    # These children were never counted as created: so do ZooKeeper's, and the first sequence
    # number below the root is 0. cversion is 2 * creates - children everywhere.
    _put(tree, ROOT, OPEN_ACL, children=1)
    _put(tree, b"/zookeeper", OPEN_ACL, children=2)
    _put(tree, b"/zookeeper/quota", OPEN_ACL, children=0)
    _put(tree, CONFIG_PATH, READ_ACL, children=0, version=-1)


def put_configuration(tree: Tree, text: bytes) -> None:
    """Write the contents of /zookeeper/config; its version stays -1, as in ZooKeeper."""
    old = tree.store.get(CONFIG_PATH)
    assert old is not None, "the tree was founded"
    stat = attrs.evolve(stat_of(old), mzxid=tree.zxid, mtime=tree.time_ms, data_length=len(text))
    head, data = new_head(Kind.PERSISTENT, 0, acl_of(old)), len(text).to_bytes(4) + text
    new = sealed(CONFIG_PATH, head + data + jute.encode(stat))
    tree.replace(CONFIG_PATH, old, new)
    tree.data_bytes += len(text) - data_length_of(old)


def put_settings(tree: Tree, settings: Settings) -> None:
    """Write the replicated settings."""
    tree.put_row(Table.META, SETTINGS_KEY, jute.encode(settings))


def settings_of(tree: Tree) -> Settings:
    """Return the replicated settings; empty ones before the first configuration was applied."""
    stored = tree.row(Table.META, SETTINGS_KEY)
    if stored is None:
        return _UNFOUNDED
    settings = jute.decode_all(Settings, stored)
    if settings.format_level > FORMAT_LEVEL:
        raise ValueError(f"format level {settings.format_level}: a newer coord wrote this")
    return settings


def _put(tree: Tree, path: bytes, acl: bytes, *, children: int, version: int = 0) -> None:
    stat = STAT.pack(0, 0, 0, 0, version, -children, version, 0, 0, children, 0)
    record = sealed(path, new_head(Kind.PERSISTENT, 0, acl) + _EMPTY + stat)
    tree.replace(path, None, record)
    tree.node_count += 1
    tree.data_bytes += len(path)
