"""A small store for tests, and all that is in it."""

from coord.state.dict_store import DictStore
from coord.state.store import Table


class StrictStore(DictStore):
    """Fails when it is asked for what no store need know: a path without a slash before it."""

    def __init__(self) -> None:
        super().__init__()
        get = self.get

        def strict(path: bytes) -> bytes | None:
            assert path.startswith(b"/"), path
            return get(path)

        self.get = strict


def filled() -> DictStore:
    store = DictStore()
    for path in (b"/", b"/a", b"/b", b"/a/x", b"/a/y"):
        store.put(path, b"record of " + path)
    for key in (b"b1", b"a2", b"a1", b"b2"):
        store.put_row(Table.EPHEMERALS, key, b"value of " + key)
    return store


def contents(store: DictStore) -> tuple:
    paths = [b"/", b"/a", b"/b", b"/c", b"/a/x", b"/a/y"]
    return (
        {path: store.get(path) for path in paths},
        {path: sorted(store.children(path)) for path in paths},
        {table: list(store.rows(table)) for table in Table},
    )
