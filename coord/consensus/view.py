"""View: what the driver and status may know of a replica's part in the agreement."""

from coord.consensus.configuration import Configuration
from coord.consensus.effects import InstalledSnapshot
from coord.consensus.journal import Journal
from coord.consensus.leader import Leader
from coord.consensus.membership import Membership
from coord.consensus.messages import Mark
from coord.consensus.progress import PeerStatus
from coord.consensus.role import Core, Role, RoleName
from coord.consensus.standing import Standing


class View:
    """The half of a Node that changes nothing."""

    _core: Core
    _journal: Journal
    _role: Role

    @property
    def role(self) -> RoleName:
        """What this replica is at the moment."""
        return self._role.name

    @property
    def epoch(self) -> int:
        """The epoch this replica has promised, and may follow or lead in."""
        return self._journal.promised

    @property
    def leader(self) -> int | None:
        """The leader of that epoch, as far as it is known and heard; possibly this replica."""
        return self._role.leader

    @property
    def established(self) -> bool:
        """The leader is established, and this replica follows it or is it."""
        return self._role.is_established

    @property
    def commit_index(self) -> int:
        """Everything up to here is committed."""
        return self._journal.commit_index

    @property
    def last_index(self) -> int:
        """Where the log ends, durable or not."""
        return self._journal.last.index

    @property
    def durable_index(self) -> int:
        """Where the log ends on the disk."""
        return self._journal.durable_index

    @property
    def adopted_epoch(self) -> int:
        """The epoch whose leader's history is on the disk."""
        return self._journal.durable.current_epoch

    def newest_uncommitted(self, count: int) -> tuple[tuple[int, int], ...]:
        """Return index and epoch of the last entries above the commit index, as far as in memory.

        That of the very last one always is.
        """
        last = self._journal.last
        recent = [(entry.index, entry.epoch) for entry in self._journal.in_memory(count)]
        newest = recent or [(last.index, last.epoch)]
        return tuple(item for item in newest if item[0] > self._journal.commit_index)

    @property
    def base_index(self) -> int:
        """The entry just below the first one that can be read."""
        return self._journal.base.index

    def holds(self, snapshot: InstalledSnapshot) -> bool:
        """Whether the log goes on from the snapshot: its last entry is there, or the base."""
        return self._journal.holds(Mark(snapshot.index, snapshot.chain))

    def has_stored(self, snapshot: InstalledSnapshot) -> bool:
        """Whether it does, and that entry is committed, and durable here."""
        journal = self._journal
        reached = min(journal.commit_index, journal.durable_index)
        is_reached = snapshot.index <= reached and not journal.is_installing
        return is_reached and self.holds(snapshot)

    @property
    def configuration(self) -> Configuration | None:
        """The configuration that rules: the newest in the log; None before the founding."""
        return self._journal.configuration

    @property
    def membership(self) -> Membership:
        """Who counts, by the configuration that rules."""
        return self._core.membership

    @property
    def contact_ms(self) -> int:
        """Since when, at the latest, no other leader can have begun; -1 where that is unknown.

        The greatest time such that a set that meets every election quorum, this replica included,
        has answered a heartbeat sent then or later. Only an established leader knows.
        """
        role = self._role
        return role.contact_ms if isinstance(role, Leader) and role.is_established else -1

    @property
    def can_propose(self) -> bool:
        """`propose` would take a batch now."""
        role = self._role
        return isinstance(role, Leader) and role.accepts and role.has_room

    @property
    def is_resigning(self) -> bool:
        """A hand-over was asked for and has neither succeeded nor been given up."""
        return isinstance(self._role, Leader) and self._role.is_resigning

    @property
    def peers(self) -> tuple[PeerStatus, ...]:
        """What a leader knows of the other members; empty when this replica does not lead."""
        return self._role.peers

    @property
    def owes(self) -> bool:
        """Entries that were stored cannot be read: this replica is no witness (`mending`)."""
        return self._journal.owed is not None

    def standing(self) -> Standing:
        """Return how far this replica has come: nobody was told of more."""
        journal = self._journal
        end = journal.owed or journal.last
        return Standing(journal.promised, journal.current_epoch, end.index)
