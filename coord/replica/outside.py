"""What a replica is given by its driver: where it begins, and what is done for it."""

from typing import Protocol

import attrs

from coord.consensus.effects import Persist
from coord.consensus.log import Point
from coord.operations.machine import StateMachine


@attrs.frozen
class Setup:
    """What a replica begins with: its clocks, all in ms, and where its state stands."""

    tick_ms: int
    """Unit of session timeouts; half of it is the lease L."""
    heartbeat_ms: int
    """Between reports."""
    election_ms: int
    """Silence after which elections begin; also when a lost message is sent again."""
    applied: Point
    """The entry after which the recovered state is."""
    configuration: bytes
    """The configuration in force there, encoded; b"" for none."""
    lacks_state: bool = False
    """There is no state to be trusted: it has to come from the leader."""


class Outside(Protocol):
    """What the driver does for a replica."""

    def persist(self, persists: tuple[Persist, ...]) -> None:
        """Make these durable in order; answer with `Replica.stored`."""

    def install(self) -> StateMachine:
        """Open the tree that the log names now, in place of the present one."""

    def name_tree(self, name: str) -> None:
        """Let the log name a received tree, durably, in place of one that was not to be trusted."""

    def configured(self) -> None:
        """A configuration entry was applied."""

    def applied(self, index: int, size: int) -> None:
        """An entry of this many bytes was applied."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970."""

    def warn(self, line: str) -> None:
        """One line for the operator."""
