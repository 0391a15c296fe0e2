"""What many readers of one tree share: a read transaction, and what is taken from it over time."""

from collections.abc import Generator
from itertools import islice

from coord.storage.flush import TreeFile


class View:
    """A read transaction that the tree, transfers and listings may share."""

    def __init__(self, file: TreeFile) -> None:
        self.transaction = file.environment.read()
        self._holders = 1

    def hold(self) -> "View":
        """Keep it open for one more."""
        self._holders += 1
        return self

    def release(self) -> None:
        """Let go; the last one closes it."""
        self._holders -= 1
        if self._holders == 0:
            self.transaction.abort()


class StoredListing:
    """Values read from a view as they are asked for; implements `state.store.Listing`.

    The view keeps LMDB from reusing pages, so whoever holds a listing must get on with it.
    """

    def __init__(self, view: View, values: Generator[bytes, None, None]) -> None:
        """Takes over a hold on the view that `values` reads."""
        self._view = view
        self._values = values
        self._is_closed = False

    def take(self, count: int) -> list[bytes]:
        """Return the next ones, at most `count`; none when there are no more."""
        return list(islice(self._values, count))

    def close(self) -> None:
        """Let go of the view; may be repeated."""
        if not self._is_closed:
            self._is_closed = True
            self._values.close()
            self._view.release()
