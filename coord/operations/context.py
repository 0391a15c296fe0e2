"""What operations are given, and whom they tell what they did."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Final

import attrs
from mypy_extensions import mypyc_attr

from coord.state.permissions import OPEN_ACL, identities_of, permits
from coord.state.sessions import Sessions
from coord.state.settings import Settings
from coord.state.store import Store
from coord.state.tree import Tree
from coord.state.watches import WatchTable
from coord.wire.errors import NoAuth
from coord.wire.records import Id


@mypyc_attr(allow_interpreted_subclasses=True)
class Audience(ABC):
    """Who hears what an entry does, while it is applied.

    For each operation: first every `changed`, then `ended` or `moved`, then `settled`.
    """

    @abstractmethod
    def changed(self, event: int, path: bytes, zxid: int, acl: bytes) -> None:
        """Tell of one trigger of watches: an `EventType`, and the ACL that says who may know."""

    @abstractmethod
    def ended(self, session_id: int) -> None:
        """Tell that a session is closed or expired."""

    @abstractmethod
    def moved(self, session_id: int, attachment: int) -> None:
        """Tell that a session has a newer attachment: older connections of it are cut."""

    @abstractmethod
    def settled(self, replica: int, start: int, n: int, zxid: int, error: int, body: bytes) -> None:
        """Tell the outcome of write `n` of an origin: 0 and the reply's body, or an error."""


@attrs.define(eq=False)
class Caller:
    """The connection that asks something; its owner changes the fields as the client does."""

    session_id: int
    """Its session."""
    identities: tuple[Id, ...]
    """Who the client is: the address, and what auth added."""
    watcher: Hashable
    """What its watches are registered under."""
    deliver: Callable[[int, bytes, int], None]
    """Queues an event for the client: event type, path, zxid (-1 when it is made up for)."""


@attrs.define(eq=False)
class View:
    """What a read sees: one replica between two operations."""

    store: Store
    """The nodes."""
    tree: Tree
    """Their counts."""
    sessions: Sessions
    """The sessions."""
    watches: WatchTable
    """The watches of this replica."""
    settings: Settings
    """The replicated settings."""


class Silence(Audience):
    """An audience that hears nothing: until the first entry comes, and for who only counts."""

    def changed(self, event: int, path: bytes, zxid: int, acl: bytes) -> None:
        """Ignore it."""

    def ended(self, session_id: int) -> None:
        """Ignore it."""

    def moved(self, session_id: int, attachment: int) -> None:
        """Ignore it."""

    def settled(self, replica: int, start: int, n: int, zxid: int, error: int, body: bytes) -> None:
        """Ignore it."""


SILENCE: Final[Audience] = Silence()


Change = tuple[int, bytes, int, bytes]
"""What `Audience.changed` is told."""


class Context:
    """What a write sees and changes; one object serves all, field by field."""

    def __init__(self, tree: Tree, sessions: Sessions, settings: Settings) -> None:
        self.tree = tree
        """The nodes; its zxid and time are those of this operation."""
        self.sessions = sessions
        """The sessions."""
        self.settings = settings
        """The replicated settings."""
        self.audience: Audience = SILENCE
        """Who is told what happened."""
        self.held: list[Change] | None = None
        """In a multi: the changes that nobody is told before all is done."""
        self.session_id = 0
        """Who writes; 0 for internal operations."""
        self.identities = b""
        """The identities of its connection, as they travel."""

    def changed(self, event: int, path: bytes, zxid: int, acl: bytes) -> None:
        """Tell the audience of a change, as soon as it stands."""
        held = self.held
        if held is None:
            self.audience.changed(event, path, zxid, acl)
        else:
            held.append((event, path, zxid, acl))

    def require(self, needs: int, acl: bytes) -> None:
        """Raise NoAuth unless the ACL of a node permits it."""
        if acl != OPEN_ACL and not permits(acl, identities_of(self.identities), needs):
            raise NoAuth


def require(needs: int, acl: bytes, caller: Caller) -> None:
    """Raise NoAuth unless the ACL of a node permits it to a connection."""
    if acl != OPEN_ACL and not permits(acl, caller.identities, needs):
        raise NoAuth
