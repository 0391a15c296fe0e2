"""What a node is started with."""

import attrs
from attrs.validators import and_, ge, gt, le

from coord.consensus.configuration import Member
from coord.consensus.epochs import REPLICA_MAX


@attrs.frozen(kw_only=True)
class Limits:
    """Why nothing in a node grows without bound; all in bytes of entries."""

    message: int = 1 << 20
    """Entries in one message: large enough to be cheap, small enough to share a link."""
    window: int = 4 << 20
    """Under way to one member: more than a fast link and disk take in during a round trip."""
    tail: int = 8 << 20
    """Stored entries kept in memory for members that are a little behind; older ones are read."""
    uncommitted: int = 16 << 20
    """Proposed and not committed, or not stored; beyond it the driver holds back its clients.

    It also bounds what a follower gathers, and stores in one transaction, to adopt an epoch."""
    history: int = 32 << 20
    """Fetched by a candidate; one that lacks more lets another stand."""
    apply: int = 4 << 20
    """Handed out at once for applying: more matters only after a restart."""


@attrs.frozen(kw_only=True)
class NodeSettings:
    """What a replica is started with."""

    id: int = attrs.field(validator=and_(ge(1), le(REPLICA_MAX)))
    """This replica, 1..255."""
    birth: int = attrs.field(validator=gt(0))
    """The number its disk was born with: random, positive, durable before the first message."""
    members: tuple[Member, ...]
    """The configured members (births 0); they count only while the log holds no configuration."""
    quorums: str
    """The configured quorum system; counts as `members` does."""
    heartbeat_ms: int = attrs.field(default=100, validator=gt(1))
    """Interval of the leader's heartbeats."""
    election_ms: int = attrs.field(default=1000, validator=gt(1))
    """Silence after which a follower stands; several heartbeats long."""
    limits: Limits = attrs.field(factory=Limits)
    """Bounds on what is held in memory."""
    genesis: bytes = b""
    """`Configuration.settings` of the first entry, if this replica founds the ensemble."""
