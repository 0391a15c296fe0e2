"""Replication: how a leader's log travels to the members.

Everything goes to everybody at once; a quorum decides when it is committed. Members that are at the
same place are sent the same message. One that is behind is sent what it lacks from its own place
on, a window at a time, and one whose place is below the log a snapshot.
"""

import attrs

from coord.consensus.effects import SendSnapshot
from coord.consensus.journal import ENTRY_OVERHEAD
from coord.consensus.messages import Commit, Mark, Promise, Propose
from coord.consensus.progress import Flow, Progress
from coord.consensus.role import Core


class Replication:
    """The log of one epoch on its way to the members."""

    def __init__(self, core: Core, epoch: int, initial: int) -> None:
        self._core = core
        self._journal = core.journal
        self._limits = core.settings.limits
        self._epoch = epoch
        self._initial = initial
        self.progress = {
            peer: Progress(peer, self._limits.window) for peer in core.membership.others
        }

    def begin(self, progress: Progress, promise: Promise) -> None:
        """Send from now on what a member lacks that described its log."""
        journal = self._journal
        shared = [mark.index for mark in promise.marks if journal.holds(mark)]
        if shared:
            progress.begin(max(shared), promise.round)
        elif progress.flow is not Flow.SNAPSHOT:
            self._send_snapshot(progress)

    def send(self) -> None:
        """Send what is new, or still lacking, to whoever has room; tell the others of commits."""
        batches: dict[int, _Batch] = {}
        for progress in self.progress.values():
            if progress.flow is Flow.ENTRIES:
                self._send_entries(progress, batches)
        self._tell_commit()

    def _send_entries(self, progress: Progress, batches: "dict[int, _Batch]") -> None:
        last = self._journal.last.index
        while progress.owes_greeting or (progress.next <= last and progress.has_room):
            if progress.next <= self._journal.base.index:
                self._send_snapshot(progress)
                return
            batch = batches.get(progress.next)
            if batch is None:
                batch = batches[progress.next] = self._make_batch(progress.next, last)
            self._core.outbox.send(progress.peer, batch.message)
            progress.sent(batch.last, batch.size)
            progress.told_commit = batch.message.commit_index

    def _make_batch(self, first: int, last: int) -> "_Batch":
        """Members at the same place share one message, so that it is encoded once."""
        journal = self._journal
        entries = journal.entries(first, last, self._limits.message) if first <= last else ()
        message = Propose(
            epoch=self._epoch,
            initial=self._initial,
            before=Mark(first - 1, journal.chain_at(first - 1)),
            commit_index=journal.commit_index,
            entries=entries,
        )
        size = sum([len(entry.payload) + ENTRY_OVERHEAD for entry in entries])
        return _Batch(message, first - 1 + len(entries), size)

    def _tell_commit(self) -> None:
        message: Commit | None = None
        index = self._journal.commit_index
        for progress in self.progress.values():
            if progress.flow is Flow.ENTRIES and progress.told_commit < index:
                message = message or Commit(self._epoch, index)
                self._core.outbox.send(progress.peer, message)
                progress.told_commit = index

    def _send_snapshot(self, progress: Progress) -> None:
        progress.await_snapshot()
        self._core.outbox.snapshots.append(SendSnapshot(progress.peer, self._epoch))


@attrs.frozen
class _Batch:
    """Entries on their way to all members that are at one place."""

    message: Propose
    last: int
    """Index of the last entry; the one before the first when there are none."""
    size: int
    """In bytes, as the window counts them."""
