"""What the roles share: the core they work with, and how they ask for a change of role.

A replica is a Follower, a Candidate or a Leader. A role sees the messages of its own epoch, changes
the journal, fills the outbox, and returns a Change when the role itself is over; `node.py` alone
makes the change.
"""

from collections.abc import Callable
from enum import Enum
from typing import ClassVar

import attrs

from coord.consensus.effects import InstalledSnapshot
from coord.consensus.gathering import Gathering
from coord.consensus.journal import Journal
from coord.consensus.membership import Membership
from coord.consensus.messages import Message, Promise
from coord.consensus.outbox import Outbox
from coord.consensus.progress import PeerStatus
from coord.consensus.settings import NodeSettings


class RoleName(Enum):
    """The roles, for status."""

    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


@attrs.frozen
class Follow:
    """Become a follower of whoever leads in the promised epoch, if anybody does."""

    wait_ms: int
    """How long to wait for a leader before standing."""


@attrs.frozen
class Stand:
    """Become a candidate: a pre-vote was won."""


@attrs.frozen
class Lead:
    """Become the leader of the epoch that was promised to us."""

    gathering: Gathering | None
    """The history to begin with; None when our own is the best."""
    promises: dict[int, Promise]
    """What the others promised, by id."""


Change = Follow | Stand | Lead


class Core:
    """What a replica has, whatever its role."""

    def __init__(
        self,
        settings: NodeSettings,
        journal: Journal,
        draw: Callable[[int, int], int],
        now_ms: int,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.outbox = Outbox()
        self.draw = draw
        self.now_ms = now_ms
        self.seen_epoch = 0
        self.abstains = False
        """This replica votes, and does not stand: see `Node.abstain`."""
        self._membership = Membership(journal.configuration, settings)

    @property
    def membership(self) -> Membership:
        """Who counts, by the newest configuration in the log."""
        configuration = self.journal.configuration
        if configuration is not self._membership.configuration:
            self._membership = Membership(configuration, self.settings)
        return self._membership

    def see(self, epoch: int) -> None:
        """Remember an epoch that a candidacy of ours has to surpass."""
        self.seen_epoch = max(self.seen_epoch, epoch)

    def draw_patience_ms(self) -> int:
        """Return how much silence this replica bears before it stands."""
        election_ms = self.settings.election_ms
        return self.draw(election_ms, election_ms + election_ms // 2)


class Role:
    """One role in one epoch; what a role does not care for does nothing."""

    name: ClassVar[RoleName]
    epoch: int
    """Follower: the promised epoch. Candidate and leader: their own, which they promised too."""
    deadline_ms: int
    """When the next tick has work to do."""

    @property
    def leader(self) -> int | None:
        """Who is known to lead in this epoch."""
        return None

    @property
    def is_established(self) -> bool:
        """The leader of this epoch is known to be established."""
        return False

    @property
    def hears_leader(self) -> bool:
        """A leader is at work, as far as one can tell here."""
        return False

    @property
    def peers(self) -> tuple[PeerStatus, ...]:
        """What is known of the other members."""
        return ()

    def receive(self, sender: int, message: Message) -> Change | None:  # noqa: ARG002
        """Handle a message of this epoch."""
        return None

    def tick(self) -> Change | None:
        """Handle the passing of time."""
        return None

    def forgive_pause(self) -> None:
        """Note that this replica was paused: silence until now says nothing about the others."""

    def stored(self) -> Change | None:
        """Handle progress of the journal's durable part."""
        return None

    def connected(self, peer: int, birth: int) -> None:
        """Handle a new connection with a peer whose disk has this birth number."""

    def disconnected(self, peer: int) -> Change | None:  # noqa: ARG002
        """Handle the loss of a connection."""
        return None

    def take_snapshot(self, snapshot: InstalledSnapshot) -> bool:  # noqa: ARG002
        """Make use of a received snapshot; tell whether there was one."""
        return False

    def flush(self) -> None:
        """Put into the outbox what the batch of input amounts to."""

    def leave(self) -> None:
        """End this role."""
