"""Handed: what was given to the disk, until it is durable."""

import attrs

from coord.consensus.effects import InstalledSnapshot
from coord.consensus.log import HardState


@attrs.frozen
class Handed:
    """A Persist that is under way: what the disk will hold once it is durable."""

    number: int
    last_index: int
    hard: HardState
    truncate_after: int | None
    snapshot: InstalledSnapshot | None
    unstored_bytes: int
