"""What consensus says to others: at once, or as soon as what it rests on is durable here."""

from collections import deque

from coord.consensus.effects import Effects
from coord.replica.links import Links
from coord.replica.messages import encode


class Promises:
    """Messages of one replica; those that wait go in order."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._held: deque[tuple[int, int, bytes]] = deque()
        self._stored = 0

    def stored(self, number: int) -> None:
        """The persists up to this number are durable: send what rests on them."""
        self._stored = number
        held = self._held
        while held and held[0][0] <= number:
            _number, peer, frame = held.popleft()
            self._links.send(peer, frame)

    def send(self, effects: Effects) -> None:
        """Send what may go; one message to several peers is encoded once."""
        last_message: object = None
        frame = b""
        for peer, message in effects.send:
            if message is not last_message:
                last_message, frame = message, encode(message)
            self._links.send(peer, frame)
        for number, peer, message in effects.send_when_stored:
            if message is not last_message:
                last_message, frame = message, encode(message)
            if number <= self._stored:
                self._links.send(peer, frame)
            else:
                self._held.append((number, peer, frame))
