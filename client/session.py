"""One session: what it is called, until when it is known to live, and what rests on it."""

import math
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
    is_exported: bool = attrs.field(default=False, init=False, repr=False)
    """Whether it shall not be closed with its client."""
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


@attrs.frozen
class ExportedSession:
    """What resumes a session in another client, as after a restart of the process.

        async with connect("host:2181") as zk:
            await zk.create("/me", ephemeral=True)
            exported = zk.export_session()
        async with connect("host:2181", session=exported) as zk:
            print("as before" if zk.session.id == exported.id else "expired meanwhile")

    Whoever knows it has all rights of the session: keep it as secret as a credential.
    """

    id: int
    """Of the session."""
    password: bytes = attrs.field(repr=False)
    """What proves the right to it; 16 bytes."""
    timeout: float
    """In seconds: how long after its client's end it lives on."""
    zxid: int
    """The last zxid that its client had seen: no server that has seen less will resume it."""

    def resumable(self) -> Session:
        """Return the session, of whose life nothing is known yet. For the client's own use."""
        return Session(self.id, self.password, Proofs(self.timeout, -math.inf, -math.inf))
