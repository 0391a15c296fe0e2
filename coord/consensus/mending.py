"""Mending: how a replica comes by entries that its disk has lost.

What was stored may have been acknowledged, and an entry may be committed with this copy as one of
its quorum. So a damaged entry is never taken for one that was not there. `HardState.reach` says
where the log ended; a log that ends before that owes entries (`Journal.owed`). Then:

M1. It is no witness. It does not stand, and its promise says what it owes: that it listens to no
    older leader holds as ever, but what its log holds is too little for an election to go by.
M2. It follows whoever leads. A leader has its promises: from others, or from this replica while it
    was whole. So its history holds whatever is committed, and is taken as by any replica that is
    behind. Entries of the current epoch bring the log up to where it was; the history of a later
    one, or a snapshot of what is committed, takes the place of what was lost. Either way nothing is
    owed any more.
M3. It asks all members, again and again. There may be no leader, because what this replica knows
    is needed for one. Whoever holds both ends sends what lies between; both are named by their
    chains, so it is what was lost, whatever became of its epoch. It is put back as a whole, and the
    log is what it was when the last promise was made.
M4. It gives nothing up by itself. A candidate may lead without what was lost if it cannot have been
    committed, or if the history it leads with is not less (`candidate`, C4); then M2. Else the
    entry may be committed here and on replicas that are away: no leader is right until one of
    them is back.
"""

from typing import Final

from coord.consensus.gathering import Gathering
from coord.consensus.messages import Found, Lost, Mark
from coord.consensus.role import Core

YEAR_MS: Final = 31_536_000_000
"""As good as never."""


class Mending:
    """One replica's lost entries, if there are any, and its answers to those who lost some."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._gathering: Gathering | None = None
        self._start = Mark(0, 0)
        """The end of the log when the gathering was begun."""
        self._ask_ms = core.now_ms

    @property
    def deadline_ms(self) -> int:
        """When to call `tick`; in a year when nothing is owed."""
        return self._ask_ms if self._core.journal.owed is not None else self._core.now_ms + YEAR_MS

    def tick(self) -> None:
        """Ask everybody, when it is time to (M3)."""
        core = self._core
        owed = core.journal.owed
        if owed is None or core.now_ms < self._ask_ms:
            return
        self._ask_ms = core.now_ms + 2 * core.settings.heartbeat_ms
        last = core.journal.last
        end = Mark(last.index, last.chain)
        if self._gathering is None or self._start != end:
            self._gathering, self._start = Gathering(end), end
        for peer in core.membership.others:
            self._ask(peer, self._gathering)

    def receive(self, sender: int, message: Lost | Found) -> None:
        """Handle a message, whatever the epoch: what it says is true for ever."""
        if isinstance(message, Lost):
            self._answer(sender, message)
        else:
            self._take(sender, message)

    def _answer(self, sender: int, message: Lost) -> None:
        """Send what another one lost, if it is in our log, between the same two places."""
        core, journal = self._core, self._core.journal
        before, until = message.before, message.until
        is_order = before.index < until.index
        if not is_order or not core.membership.knows(message.ensemble):
            return
        if journal.holds(until) and journal.holds(before):
            bytes_max = core.settings.limits.message
            entries = journal.entries(before.index + 1, until.index, bytes_max)
            core.outbox.send(sender, Found(before, entries))

    def _take(self, sender: int, message: Found) -> None:
        """Put entries back once all are there and end where the log did (M3)."""
        gathering, owed = self._gathering, self._core.journal.owed
        last = self._core.journal.last
        if gathering is None or owed is None or self._start != Mark(last.index, last.chain):
            return
        reached = gathering.tip.index
        gathering.offer(message.before, message.entries)
        if gathering.tip == Mark(owed.index, owed.chain):
            self._gathering = None
            self._core.journal.restore(gathering.entries)
        elif gathering.tip.index >= owed.index:
            self._gathering = None
        elif gathering.tip.index > reached:
            self._ask(sender, gathering)

    def _ask(self, peer: int, gathering: Gathering) -> None:
        core, owed = self._core, self._core.journal.owed
        if owed is not None:
            until = Mark(owed.index, owed.chain)
            core.outbox.send(peer, Lost(core.membership.ensemble, gathering.tip, until))
