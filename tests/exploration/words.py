"""Words for a trace: a message in short, its epochs as ROUND.OWNER."""

from typing import Any

import attrs

from coord.consensus.epochs import owner_of
from coord.consensus.log import Entry
from coord.consensus.messages import Mark, Message

UNSAID = {"birth", "ensemble", "sent_ms", "is_quorate"}
"""Always the same in a search."""


def words(message: Message) -> str:
    """Return the message in short."""
    fields = attrs.asdict(message, recurse=False).items()
    said = [f"{name}={_value(name, value)}" for name, value in fields if name not in UNSAID]
    return f"{type(message).__name__} {' '.join(said)}"


def epoch_words(epoch: int) -> str:
    """Return an epoch as ROUND.OWNER."""
    return f"{epoch >> 16}.{owner_of(epoch)}"


def _value(name: str, value: Any) -> str:
    match value:
        case Mark():
            return str(value.index)
        case Entry():
            return f"{value.index}@{epoch_words(value.epoch)}"
        case tuple():
            return f"[{', '.join(_value('', item) for item in value)}]"
        case _:
            return epoch_words(value) if name.endswith("epoch") else str(value)
