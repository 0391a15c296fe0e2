"""The client: operations, watches and recipes on one session."""

from typing import TypeVar

from client.errors import Away
from client.instruments import State
from client.recipes.config import ConfigWatch
from client.session import Session
from client.sharing import Sharing
from client.watches import ChildrenWatch, Events, Watch

T = TypeVar("T")


class Client(Sharing):
    """A client of an ensemble, for as long as the block of `connect` runs."""

    @property
    def session(self) -> Session:
        """The session: another object after this one has expired.

        Raises Away when there has been none yet, as only read-only servers were found.
        """
        session = self._calls.keeper.session
        if session is None:
            raise Away("there is no session yet")
        return session

    @property
    def state(self) -> State:
        """How the client stands to the servers: `if zk.state is State.READ_ONLY: ...`."""
        return self._calls.keeper.state

    def watch(self, path: str) -> Watch:
        """Iterate over the states of a znode: `Znode`, or None while it is missing."""
        return Watch(self._calls, self._full(path))

    def watch_children(self, path: str) -> ChildrenWatch:
        """Iterate over the names of children, sorted, or None while the parent is missing."""
        return ChildrenWatch(self._calls, self._full(path))

    def events(self, path: str, *, recursive: bool = False) -> Events:
        """Iterate over each `Event` of a znode, or also of all below it, and over `Resynced`."""
        return Events(self._calls, self._full(path), self._chroot, recursive=recursive)

    def config(self, path: str, cls: type[T]) -> ConfigWatch[T]:
        """Iterate over the states of a configuration: objects of an attrs class, or `BadConfig`."""
        return ConfigWatch(self._calls, self._full(path), path, cls)
