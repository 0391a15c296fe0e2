"""Recovered: what a replica finds on its disk at the start."""

import attrs

from coord.consensus.configuration import Configuration
from coord.consensus.log import NOTHING_STORED, HardState


@attrs.frozen
class Recovered:
    """What the disk held at the start."""

    hard: HardState = NOTHING_STORED
    """As stored last."""
    applied_index: int = 0
    """The tree is the state after this entry."""
    configuration: Configuration | None = None
    """The configuration in force in the tree; None when the tree has none."""
