"""Node: one replica's part in the agreement on a log. Pure: the driver brings time and chance."""

from collections.abc import Callable

import attrs

from coord.consensus.configuration import Configuration, Member
from coord.consensus.effects import Effects, InstalledSnapshot
from coord.consensus.log import HardState, LogReader
from coord.consensus.messages import Message


class NotLeading(Exception):  # noqa: N818 - a state, not a fault
    """The replica is not an established leader, or is handing over."""


class Backlogged(Exception):  # noqa: N818 - a state, not a fault
    """Too many bytes are proposed and not committed; wait for commits."""


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


@attrs.frozen(kw_only=True)
class Recovered:
    """What the disk held at the start."""

    hard: HardState = attrs.field(factory=HardState)
    """As stored last."""
    applied_index: int = 0
    """The tree is the state after this entry: at most the stored commit index."""
    configuration: Configuration | None = None
    """The configuration in force in the tree; None when the tree has none."""


class Node:
    """The consensus state machine of one replica.

    The driver calls a verb for each input, then `take_effects` until the answer is empty. It calls
    `tick` when `deadline_ms` is reached, and before anything else after a pause.
    """

    def __init__(
        self,
        settings: NodeSettings,
        recovered: Recovered,
        log: LogReader,
        draw: Callable[[int, int], int],
        now_ms: int,
    ) -> None:
        """`draw(low, high)` returns a number of that range, both ends included."""

    def tick(self, now_ms: int) -> None:
        """Take note of the time, which is monotonic."""

    def receive(self, sender: int, message: Message) -> None:
        """Handle a message from a peer."""

    def connected(self, peer: int, birth: int) -> None:
        """Take note of a new connection with a peer."""

    def disconnected(self, peer: int) -> None:
        """Take note that the connection with a peer is gone: if it leads, an election begins."""

    def propose(self, payload: bytes) -> int:
        """Append a batch of operations; return its index; only an established leader may."""
        raise NotImplementedError

    def barrier(self, token: int) -> None:
        """Ask that this replica's leadership be confirmed after now; see Effects.confirmed."""

    def resign(self) -> None:
        """Hand the leadership over to the most caught-up voter."""

    def stored(self, number: int) -> None:
        """Take note that a Persist, and all before it, is durable."""

    def snapshot_received(self, snapshot: InstalledSnapshot) -> None:
        """Take note of a whole, synced tree from the leader."""

    def transfer_ended(self, peer: int) -> None:
        """Take note that the stream begun for SendSnapshot is over, whole or not."""

    def take_effects(self) -> Effects:
        """Return what is to be done; empty when nothing is left."""
        raise NotImplementedError
