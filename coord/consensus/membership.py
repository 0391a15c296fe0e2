"""Membership: who counts, by the configuration that rules.

The newest configuration in the log rules; while the log holds none, the members with which this
replica was started, and then only to found the ensemble: by all its voters, all of them empty.

A voter counts only with the birth number that the configuration knows. A replica that lost its disk
has another one: it has forgotten promises and entries, so it neither votes nor stands.
"""

from coord.consensus.configuration import Configuration, MemberRole
from coord.consensus.settings import NodeSettings
from coord.quorums import parse


class Membership:
    """The members and the quorum system in force at one replica."""

    def __init__(self, configuration: Configuration | None, settings: NodeSettings) -> None:
        members = settings.members if configuration is None else configuration.members
        quorums = settings.quorums if configuration is None else configuration.quorums
        self.configuration = configuration
        self.is_founding = configuration is None
        self.ensemble = 0 if configuration is None else configuration.ensemble
        self.voters = tuple(sorted(m.id for m in members if m.role == MemberRole.VOTER))
        self.others = tuple(sorted(m.id for m in members if m.id != settings.id))
        self.other_voters = tuple(v for v in self.voters if v != settings.id)
        self.system = parse(quorums, self.voters)
        self._births = {m.id: m.birth for m in members if m.role == MemberRole.VOTER}
        self.is_voter = self.counts(settings.id, settings.birth)

    def counts(self, replica: int, birth: int) -> bool:
        """Tell whether a replica with a disk of this birth votes."""
        if self.is_founding:
            return replica in self._births
        return self._births.get(replica) == birth

    def knows(self, ensemble: int) -> bool:
        """Tell whether a message of this ensemble may be for us; 0 is an unknown one."""
        return ensemble == 0 or self.ensemble in (0, ensemble)
