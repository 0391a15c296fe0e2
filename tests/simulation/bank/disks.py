"""Bugs of durability: what is forgotten, said too early, or stored in the wrong order."""

import random
from collections.abc import Callable

import attrs
import pytest

from coord.consensus.effects import Effects, Persist
from coord.consensus.epochs import owner_of
from coord.consensus.journal import Journal
from coord.consensus.log import HardState
from coord.consensus.messages import Ack
from coord.consensus.node import Node
from tests.simulation.disk import Disk
from tests.simulation.life import Life


def _forget_promises(patch: pytest.MonkeyPatch, is_forgotten: Callable[[Life, int], bool]) -> None:
    kept = Life.persist

    def persist(life: Life, persists: tuple[Persist, ...]) -> None:
        kept(life, tuple(_forgetful(life, each) for each in persists))

    def _forgetful(life: Life, each: Persist) -> Persist:
        hard = each.hard
        if hard is None or not is_forgotten(life, hard.promised):
            return each
        promised = max(hard.current_epoch, life.process.disk.hard.promised)
        return attrs.evolve(each, hard=attrs.evolve(hard, promised=promised))

    patch.setattr(Life, "persist", persist)


def promise_not_persisted(patch: pytest.MonkeyPatch) -> None:
    _forget_promises(patch, lambda life, promised: owner_of(promised) != life.id)


def own_promise_not_persisted(patch: pytest.MonkeyPatch) -> None:
    _forget_promises(patch, lambda life, promised: owner_of(promised) == life.id)


def ack_before_the_sync(patch: pytest.MonkeyPatch) -> None:
    kept = Node.take_effects

    def take_effects(node: Node) -> Effects:
        effects = kept(node)
        late = effects.send_when_stored
        early = tuple((peer, m) for _, peer, m in late if isinstance(m, Ack))
        kept_back = tuple(item for item in late if not isinstance(item[2], Ack))
        return attrs.evolve(effects, send=effects.send + early, send_when_stored=kept_back)

    patch.setattr(Node, "take_effects", take_effects)


def current_epoch_before_the_history(patch: pytest.MonkeyPatch) -> None:
    """Two transactions: of a write under way, a crash may keep the hard state alone."""
    kept = Disk.crash

    def crash(disk: Disk, rng: random.Random) -> str:
        staged = disk.staged
        if staged is not None and not staged.is_durable and rng.random() < 0.7:
            hards = [each.hard for each in staged.persists if each.hard is not None]
            if hards:
                commit_index = min(hards[-1].commit_index, disk.last_index)
                disk.hard = attrs.evolve(hards[-1], commit_index=commit_index)
                disk.staged = None
                return "unsynced data lost"
        return kept(disk, rng)

    patch.setattr(Disk, "crash", crash)


def uncommitted_tail_applied_at_restart(patch: pytest.MonkeyPatch) -> None:
    kept = Life.recovered_hard

    def recovered_hard(life: Life, applied_index: int) -> HardState:
        return attrs.evolve(kept(life, applied_index), commit_index=life.process.disk.last_index)

    patch.setattr(Life, "recovered_hard", recovered_hard)


def damaged_entries_taken_for_missing(patch: pytest.MonkeyPatch) -> None:
    """A log that ends where the first entry cannot be read takes that for its end."""
    patch.setattr(Journal, "owed", property(lambda _journal: None))
    kept = Life.recovered_hard

    def recovered_hard(life: Life, applied_index: int) -> HardState:
        disk = life.process.disk
        commit_index = min(disk.hard.commit_index, disk.last_index)
        disk.hard = attrs.evolve(disk.hard, commit_index=commit_index)
        return kept(life, applied_index)

    patch.setattr(Life, "recovered_hard", recovered_hard)


def histories_compared_by_the_last_entry(patch: pytest.MonkeyPatch) -> None:
    """The first entry of every leader makes this rule right by chance: it is left out, too."""
    kept = Journal.append_new

    def rank(journal: Journal) -> tuple[int, int]:
        return (journal.last.epoch, journal.last.index)

    def append_new(journal: Journal, kind: int, payload: bytes) -> object:
        return kept(journal, kind, payload) if payload else None

    patch.setattr(Journal, "rank", property(rank))
    patch.setattr(Journal, "append_new", append_new)


def promises_tell_of_uncommitted_entries_only(patch: pytest.MonkeyPatch) -> None:
    """What is known to be committed is left out of the promise."""

    def rank(journal: Journal) -> tuple[int, int]:
        return (journal.current_epoch, journal.last.index - journal.commit_index)

    patch.setattr(Journal, "rank", property(rank))


BUGS = (
    promise_not_persisted,
    own_promise_not_persisted,
    ack_before_the_sync,
    current_epoch_before_the_history,
    uncommitted_tail_applied_at_restart,
    damaged_entries_taken_for_missing,
    histories_compared_by_the_last_entry,
    promises_tell_of_uncommitted_entries_only,
)
