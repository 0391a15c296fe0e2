"""One session: what it is called, until when it is known to live, and what rests on it."""

from collections import Counter
from typing import Protocol

import attrs
import trio

from client.deadline import Proofs, Prove


class Hold(Protocol):
    """Something that ends with its session, as a lock."""

    prove: Prove
    """Which replies prove it."""

    def lose(self, reason: str) -> None:
        """Hear that it cannot be proved any longer. Returns at once."""


@attrs.define(eq=False)
class Session:
    """A session, from the greeting that made it until it is known to have ended.

        before = zk.session
        await zk.create("/me", ephemeral=True)
        print(hex(before.id), before.timeout, before.ended)

    A client that lives longer than its session gets a new one; whatever must not go on there, as
    the requests of a lock, is pinned to the object.
    """

    id: int
    """Never 0; the owner of its ephemeral znodes."""
    password: bytes = attrs.field(repr=False)
    """What resumes it."""
    proofs: Proofs
    """What is known of its life."""
    ended: str | None = None
    """Why it is over, in words; None while it may live."""
    holds: set[Hold] = attrs.field(factory=set, init=False, repr=False)
    """What is lost with it."""
    doubts: Counter[str] = attrs.field(factory=Counter, init=False, repr=False)
    """By path: how many requests may have made this ephemeral znode, where it never became known of
    at least one whether it did. It grows only where replies are lost."""
    detached: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)
    """Set while there is no connection; another object after each reconnection."""

    @property
    def timeout(self) -> float:
        """The timeout in seconds, as the server gave it."""
        return self.proofs.timeout

    def doubt_beside(self, made: list[str]) -> None:
        """Hear that a request has made these: whatever is in doubt now may be its work."""
        self.doubts.update([path for path in made if path in self.doubts])

    def end(self, reason: str) -> None:
        """Mark it as ended and tell whatever rests on it."""
        if self.ended is None:
            self.ended = reason
            self.detached.set()
            self.lose_holds(reason, self.holds.copy())

    def lose_holds(self, reason: str, holds: set[Hold]) -> None:
        """Tell these that they are lost."""
        self.holds -= holds
        for hold in holds:
            hold.lose(reason)
