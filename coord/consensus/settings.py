"""What a node is started with."""

import attrs

from coord.consensus.configuration import Member


@attrs.frozen(kw_only=True)
class NodeSettings:
    """What a replica is started with."""

    id: int
    """This replica, 1..255."""
    birth: int
    """The number its disk was born with: random, positive, durable before the first message."""
    members: tuple[Member, ...]
    """The configured members (births 0); they count only while the log holds no configuration."""
    quorums: str
    """The configured quorum system; counts as `members` does."""
    heartbeat_ms: int = 100
    """Interval of the leader's heartbeats."""
    election_ms: int = 1000
    """Silence after which a follower stands."""
    genesis: bytes = b""
    """`Configuration.settings` of the first entry, if this replica founds the ensemble."""
