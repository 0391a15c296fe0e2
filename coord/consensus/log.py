"""The log: entries, the hard state beside them, and how stored entries are read.

Rules:

1. Entries stand at consecutive indexes from 1; `chain` covers an entry and the chain before it, so
   two logs with one chain at one index are one log up to there.
2. An entry is made once, by the owner of its epoch; (epoch, index) names it.
3. `current_epoch <= promised`, both never fall, and `commit_index` never falls.
4. `reach` says where the log ended, beside the log: so damage is never taken for an end. While the
   log ends before it, in the same current epoch, the replica owes entries: see `mending`.
"""

from enum import IntEnum
from hashlib import blake2b
from struct import Struct
from typing import Final, Protocol

import attrs

from coord import jute


class EntryKind(IntEnum):
    """What an entry carries."""

    EMPTY = 0
    """Nothing: the first entry of a new leader."""
    OPERATIONS = 1
    """A batch of operations, opaque here."""
    CONFIGURATION = 2
    """A `configuration.Configuration`, which consensus reads."""


@attrs.frozen
class Entry:
    """One slot of the log."""

    index: jute.Long
    """Position, from 1."""
    epoch: jute.Long
    """The epoch in which a leader made it."""
    kind: jute.Int
    """An EntryKind."""
    chain: jute.Unsigned
    """Checksum over this entry and all before it."""
    payload: jute.Bytes
    """What it carries; b"" for an empty one."""


@attrs.frozen
class Point:
    """A place in a log, and the chain there: the log up to it is thereby known."""

    index: int
    """The place just after this entry; 0 is before the first."""
    epoch: int
    """Epoch of that entry; 0 before the first."""
    chain: int
    """Chain of that entry; 0 before the first."""


ORIGIN = Point(0, 0, 0)
"""The place before the first entry."""


@attrs.frozen
class HardState:
    """What a replica must remember beside its entries."""

    promised: int = 0
    """No leader of an epoch below this is listened to; 0 when nothing was promised."""
    current_epoch: int = 0
    """The epoch whose history the log is; 0 while it is empty."""
    commit_index: int = 0
    """Entries up to here are committed; may be behind the truth."""
    configuration_index: int = 0
    """Index of the newest configuration entry in the log; 0 when there is none."""
    reach: Point = ORIGIN
    """Where the log ended; where it ends before, the rest was lost or is damaged."""


NOTHING_STORED: Final = HardState()
"""The hard state of an empty disk."""


class LogReader(Protocol):
    """The durable log, to read from; safe while a writer commits."""

    @property
    def base(self) -> Point:
        """The place just below the first entry that is kept; ORIGIN when nothing was trimmed."""

    @property
    def last_index(self) -> int:
        """Index of the last durable entry; the base's when there is none."""

    def read(self, first: int, last: int, bytes_max: int) -> list[Entry]:
        """Return entries from `first` on, at least one, until `last` or until the size is met."""


_LINK = Struct(">QqqbI")  # previous chain, index, epoch, kind, length of the payload


def chain_after(chain: int, index: int, epoch: int, kind: int, payload: bytes) -> int:
    """Return the chain of an entry that follows one with this chain."""
    head = _LINK.pack(chain, index, epoch, kind, len(payload))
    digest = blake2b(head, digest_size=8)
    digest.update(payload)
    return int.from_bytes(digest.digest(), "big")


def follows(chain: int, entry: Entry) -> bool:
    """Tell whether an entry is whole and follows one with this chain."""
    return entry.chain == chain_after(chain, entry.index, entry.epoch, entry.kind, entry.payload)


def make_entry(before: Point, epoch: int, kind: int, payload: bytes) -> Entry:
    """Return the entry that follows a place in the log."""
    index = before.index + 1
    return Entry(
        index=index,
        epoch=epoch,
        kind=kind,
        chain=chain_after(before.chain, index, epoch, kind, payload),
        payload=payload,
    )


def point_of(entry: Entry) -> Point:
    """Return the place just after an entry."""
    return Point(entry.index, entry.epoch, entry.chain)
