"""Outbox: what the roles want done, gathered until the driver takes it."""

from coord.consensus.effects import SendSnapshot
from coord.consensus.messages import Message


class Outbox:
    """Messages and other effects of one batch of input."""

    def __init__(self) -> None:
        self.sends: list[tuple[int, Message]] = []
        self.durable_sends: list[tuple[int, Message]] = []
        self.snapshots: list[SendSnapshot] = []
        self.confirmed: list[tuple[int, int]] = []
        self.failed: list[int] = []
        self.discard: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Nothing is to be done."""
        return not (
            self.sends
            or self.durable_sends
            or self.confirmed
            or self.failed
            or self.snapshots
            or self.discard
        )

    def clear(self) -> None:
        """Begin the next batch."""
        self.sends = []
        self.durable_sends = []
        self.snapshots = []
        self.confirmed = []
        self.failed = []
        self.discard = []

    def send(self, peer: int, message: Message) -> None:
        """Send at once: the message rests on nothing that is not durable."""
        self.sends.append((peer, message))

    def send_when_durable(self, peer: int, message: Message) -> None:
        """Send when all that the journal holds now is durable."""
        self.durable_sends.append((peer, message))
