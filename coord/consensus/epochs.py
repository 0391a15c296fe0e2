"""Epochs are owned: round << 16 | replica << 8 | sub, one integer.

Two replicas can never use one epoch, so no two leaders share one, whatever the quorums. `sub` is 0;
it is kept for consecutive epochs of one owner.
"""

REPLICA_MAX = 255
"""The largest replica id: it has eight bits in an epoch."""


def make_epoch(number: int, replica: int) -> int:
    """Return the epoch of this round which this replica owns."""
    return number << 16 | replica << 8


def owner_of(epoch: int) -> int:
    """Return the one replica that may lead in an epoch; 0 for epoch 0."""
    return epoch >> 8 & 0xFF


def epoch_above(seen: int, replica: int) -> int:
    """Return the replica's own epoch in the round after the one of an epoch."""
    return make_epoch((seen >> 16) + 1, replica)
