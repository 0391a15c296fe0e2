"""Moments: what one replica can come to be, and how it gets from one moment to the next.

A Node is deterministic, and knows of the others only what they tell it. So what a message or an
action makes of a replica is found once for each moment of that replica, and holds in all states of
the ensemble in which it is at that moment. What it has ever sent is a part of the moment: the
ensemble's state is then one moment of each replica, and nothing else.
"""

from collections.abc import Callable, Iterable

import attrs

from coord.consensus.epochs import epoch_above
from coord.consensus.invariants import BrokenInvariant
from coord.consensus.messages import Candidacy, Heartbeat
from coord.consensus.role import RoleName
from tests.consensus.disk import Violation
from tests.exploration.facts import Facts
from tests.exploration.replica import Replica
from tests.exploration.stencil import key_of, number_of, record, restored, stencil
from tests.exploration.words import words

Action = Callable[[Replica], None]


@attrs.frozen
class Means:
    """What a replica may do by itself, given the state of the others."""

    elections: bool
    proposals: bool
    crashes: bool
    reads: bool
    highest: int
    """The highest epoch that anybody has promised."""
    committed: int
    """So much is known as committed by somebody."""

    @property
    def is_prompt(self) -> bool:
        """Writes are durable at once."""
        return not self.crashes


@attrs.frozen
class Moment:
    """One replica at one moment."""

    data: bytes
    """Its stencil; empty where a rule was broken: nothing follows then."""
    boxes: tuple[int, ...]
    """What it ever sent to each replica: the number of a set of letters."""
    spent: int
    """A packed Cost."""
    promised: int
    """The epoch it has promised, durable or not."""
    committed: int
    """So much it knows as committed."""
    facts: int
    """The number of its Facts."""


class Moments:
    """The moments of one replica, numbered as they are met."""

    def __init__(self, count: int) -> None:
        self._nobody = tuple([number_of(frozenset[int]())] * (count + 1))
        self._numbers: dict[tuple[bytes, tuple[int, ...]], int] = {}
        self._heard: dict[tuple[int, int, bool], int] = {}
        """What a letter makes of a moment, by (moment, letter, writes are durable at once)."""
        self._labels: dict[tuple[int, int], str | int] = {}
        """What led from one moment to another: an action, or the number of a letter."""
        self._refused: set[tuple[RoleName, int, int]] = set()
        """(role, epoch, letter of another epoch) that changed nothing."""
        self.all: list[Moment] = []

    def first(self, replica: Replica) -> int:
        """Begin at this moment."""
        return self._met(replica, self._nobody)

    def hear(self, own: int, box: int, *, is_prompt: bool) -> tuple[int, ...]:
        """Return the moments to which letters of a box lead, each of them any time."""
        moment = self.all[own]
        replica: Replica | None = None
        reached: dict[int, None] = {}
        for letter in sorted(record(box)):
            number = self._heard.get((own, letter, is_prompt))
            if number is None:
                replica = replica or restored(moment.data)
                number = self._hear(own, replica, letter, is_prompt=is_prompt)
                if number != own:
                    replica = None  # it has gone on
                self._heard[own, letter, is_prompt] = number
            reached[number] = None
        reached.pop(own, None)
        return tuple(reached)

    def act(self, own: int, means: Means) -> tuple[int, ...]:
        """Return the moments to which the replica comes by itself."""
        moment = self.all[own]
        reached: dict[int, None] = {}
        for label, action in _actions(restored(moment.data), means):
            replica = restored(moment.data)
            number = self._after(own, replica, action, is_prompt=means.is_prompt)
            self._labels.setdefault((own, number), label)
            reached[number] = None
        return tuple(reached)

    def label(self, before: int, after: int) -> str:
        """Say how the replica came from one moment to the next."""
        label = self._labels[before, after]
        if isinstance(label, str):
            return label
        sender, message = record(label)
        return f"hears from {sender}: {words(message)}"

    def _hear(self, own: int, replica: Replica, letter: int, *, is_prompt: bool) -> int:
        """Hand a letter over.

        One of an epoch that is over, or that was not promised yet, is handed over the first time
        that the replica is in this role and epoch; if that changes nothing it is not asked again.
        """
        sender, message = record(letter)
        if isinstance(message, Heartbeat) and message.round == 1:
            return own
        node = replica.node
        is_stale = message.epoch != node.epoch and not (
            isinstance(message, Candidacy | Heartbeat) and message.epoch > node.epoch
        )
        situation = (node.role, node.epoch, letter)
        if is_stale and situation in self._refused:
            return own
        action: Action = lambda replica: replica.hear(sender, message)  # noqa: E731
        number = self._after(own, replica, action, is_prompt=is_prompt)
        if is_stale and number == own:
            self._refused.add(situation)
        self._labels.setdefault((own, number), letter)
        return number

    def _after(self, own: int, replica: Replica, action: Action, *, is_prompt: bool) -> int:
        before = self.all[own]
        try:
            if is_prompt:
                replica.drain()
            action(replica)
            if is_prompt:
                replica.drain()
        except (Violation, BrokenInvariant) as broken:
            facts = number_of(Facts(broken=str(broken)))
            self.all.append(attrs.evolve(before, data=b"", facts=facts))
            return len(self.all) - 1
        return self._met(replica, before.boxes)

    def _met(self, replica: Replica, boxes: tuple[int, ...]) -> int:
        boxes = _posted(replica, boxes)
        key = (key_of(replica), boxes)
        number = self._numbers.setdefault(key, len(self.all))
        if number == len(self.all):
            moment = Moment(
                data=stencil(replica),
                boxes=boxes,
                spent=replica.cost.packed(),
                promised=replica.node.epoch,
                committed=len(replica.decided),
                facts=number_of(Facts.of(replica)),
            )
            self.all.append(moment)
        return number


def _posted(replica: Replica, boxes: tuple[int, ...]) -> tuple[int, ...]:
    if not replica.letters:
        return boxes
    grown = [set(record(box)) for box in boxes]
    for peer, message in replica.letters:
        grown[peer].add(number_of((replica.id, message)))
    replica.letters.clear()
    return tuple(number_of(frozenset(box)) for box in grown)


def _actions(replica: Replica, means: Means) -> Iterable[tuple[str, Action]]:
    node, disk = replica.node, replica.disk
    is_leader = node.role is RoleName.LEADER
    if disk.under_way:
        yield "completes a write", Replica.drain if means.is_prompt else Replica.sync
    if means.crashes:
        for survivors in range(len(disk.under_way) + 1):
            text = f"crashes; {survivors} of {len(disk.under_way)} writes survive"
            yield text, lambda replica, survivors=survivors: replica.crash(survivors)
    if means.elections:
        for seen in _epochs_seen(replica, means.highest):
            yield "stands", lambda replica, seen=seen: replica.stand(seen)
    if means.proposals and node.can_propose:
        payload = b"%d of %d" % (replica.cost.proposals, replica.id)
        yield "proposes", lambda replica: replica.propose(payload)
    if means.reads and is_leader and node.established:
        yield "is asked for a read", lambda replica: replica.read(means.committed)


def _epochs_seen(replica: Replica, highest: int) -> tuple[int, ...]:
    """It stands above its own promise, or above all promises: what lies between is like one."""
    own = epoch_above(max(replica.node.epoch, replica.node._core.seen_epoch), replica.id)
    return (0,) if own > highest else (0, highest)
