"""Who belongs to the ensemble: the configuration that the log carries.

The configuration that rules is the newest one in the log, committed or not. While the log holds
none, the ensemble is to be founded by the members that each replica was started with.
"""

from enum import IntEnum

import attrs

from coord import jute


class MemberRole(IntEnum):
    """What a member does."""

    VOTER = 1
    OBSERVER = 2


@attrs.frozen
class Member:
    """One replica of an ensemble."""

    id: jute.Int
    """1..255; never used twice in an ensemble."""
    birth: jute.Long
    """The number its disk was born with; 0 for an observer that was not heard at the founding."""
    role: jute.Int
    """A MemberRole."""
    peer_address: jute.Name
    """host:port at which replicas reach it."""
    client_address: jute.Name
    """host:port at which clients reach it."""


@attrs.frozen
class Configuration:
    """The contents of a configuration entry."""

    ensemble: jute.Long
    """The ensemble's own number, drawn at its founding; positive."""
    settings: jute.Bytes
    """The driver's: keys and replicated settings, opaque here."""
    quorums: jute.Name
    """Text form of the quorum system over the voters."""
    members: jute.Items[Member]
    """All members, ids ascending."""

    def encode(self) -> bytes:
        """Return the payload of a configuration entry."""
        return jute.encode(self)

    @classmethod
    def decode(cls, payload: bytes) -> "Configuration":
        """Read the payload of a configuration entry."""
        return jute.decode_all(cls, payload)

    def voters(self) -> tuple[int, ...]:
        """Return the ids of the voters, ascending."""
        return tuple(m.id for m in self.members if m.role == MemberRole.VOTER)

    def member(self, replica: int) -> Member | None:
        """Return the member with this id, or None."""
        return next((m for m in self.members if m.id == replica), None)
