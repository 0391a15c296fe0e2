"""Poll: a pre-vote, which asks whether an election quorum would promise an epoch.

It changes nothing anywhere, so a replica that cannot win does no harm by asking: the epoch rises,
and a leader falls, only after an election quorum has said yes. A replica says no while it hears a
leader, except when that very leader asked for the succession.
"""

from coord.consensus import checks
from coord.consensus.log import ORIGIN
from coord.consensus.messages import Canvass, CanvassReply
from coord.consensus.role import Core

NONCE_MAX = (1 << 62) - 1
"""Nonces are drawn below this, so that a reply to an earlier life's poll does not fit."""


class Poll:
    """One pre-vote and who has granted it."""

    def __init__(self, core: Core, succeeds: int) -> None:
        self._core = core
        self._granted = {core.settings.id}
        self.message = Canvass(
            ensemble=core.membership.ensemble,
            birth=core.settings.birth,
            nonce=core.draw(1, NONCE_MAX),
            empty=core.journal.last.index == ORIGIN.index,
            succeeds=succeeds,
        )

    def send(self) -> None:
        """Ask all voters that have not granted."""
        for peer in self._core.membership.other_voters:
            self.send_to(peer)

    def send_to(self, peer: int) -> None:
        """Ask one peer, if it is a voter that has not granted."""
        if peer in self._core.membership.other_voters and peer not in self._granted:
            self._core.outbox.send(peer, self.message)

    def take(self, sender: int, reply: CanvassReply) -> None:
        """Count a reply."""
        self._core.see(reply.promised)
        counts = self._core.membership.counts(sender, reply.birth)
        if reply.nonce == self.message.nonce and reply.granted and counts:
            self._granted.add(sender)

    @property
    def is_won(self) -> bool:
        """Enough have granted to stand."""
        return checks.pre_vote_suffices(self._core.membership, self._granted)
