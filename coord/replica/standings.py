"""How far the other replicas' disks have come, by their own words, as long as this process lives.

What a replica says of its disk is durable there before it is said. So one that shows less than it
has said has come back with an older copy of its disk; a lost disk has another birth number.
Nobody else can tell: a copy from before the last words that anybody alive has heard passes.
"""

from coord.consensus.messages import Ack, Alive, Candidacy, Heartbeat, Promise
from coord.consensus.standing import NOTHING, Standing


class Standings:
    """The highest standing that each disk of another member has been heard to have.

    That of a lost disk is kept beside that of the one in its place: a copy of it may come back.
    It takes an operator to give a member another disk, so there are few.
    """

    __slots__ = ("_heard",)

    def __init__(self) -> None:
        self._heard: dict[tuple[int, int], Standing] = {}
        """By replica id and birth number."""

    def known(self, peer: int, birth: int) -> Standing:
        """Return how far the disk of this birth number is known to have come."""
        return self._heard.get((peer, birth), NOTHING)

    def hear(self, peer: int, message: object) -> None:
        """Take note of what a consensus message says of its sender's disk."""
        match message:
            case Ack() | Alive() if message.stored >= 0:
                said = Standing(message.epoch, message.epoch, message.stored)
            case Promise():
                said = Standing(message.epoch, message.current_epoch, -1)
            case Candidacy():
                said = Standing(message.epoch, -1, -1)
            case Heartbeat():
                adopted = message.epoch if message.stored >= 0 else -1
                said = Standing(message.epoch, adopted, message.stored)
            case _:
                return
        if said > self.known(peer, message.birth):
            self._heard[peer, message.birth] = said
