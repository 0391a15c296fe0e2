"""The records of the log as bytes."""

import os
import time
from struct import Struct
from typing import Final

from coord.consensus.log import HardState, Point
from coord.storage.errors import DamagedLog
from coord.storage.page_format import Numbered
from coord.storage.seal import unseal

EPOCH_S: Final = 1_577_836_800
"""2020: seconds since then fit into 32 bits until 2156."""

INDEX: Final = Struct(">Q")
ENTRY: Final = Struct(">qBQ")
"""Epoch, kind, chain; the payload follows."""
POINT: Final = Struct(">qqQ")
NUMBER: Final = Struct(">Q")
_HARD: Final = Struct(">qqqqqqQQ")
"""The fields, those of `reach`, and the number of the transaction."""
NUMBERED: Final = Numbered(b"state", b"hard", _HARD.size)
_HARD_BEFORE: Final = Struct(">qqqq")
"""As it was written before it had a reach."""


def unsealed(name: bytes, stored: bytes | None) -> bytes | None:
    """Return a record; None where there is none."""
    value = None if stored is None else unseal(name, stored)
    if value is None and stored is not None:
        raise DamagedLog(f"the record {name.decode()!r} of the log is damaged")
    return value


def number(value: bytes | None) -> int:
    """Return the number in a record that was made when the log was opened."""
    assert value is not None
    return int(NUMBER.unpack(value)[0])


def packed_hard(hard: HardState, transaction: int) -> bytes:
    """Return the hard state with the number of the transaction that writes it."""
    return _HARD.pack(
        hard.promised,
        hard.current_epoch,
        hard.commit_index,
        hard.configuration_index,
        hard.reach.index,
        hard.reach.epoch,
        hard.reach.chain,
        transaction,
    )


def unpacked_hard(value: bytes | None) -> HardState:
    """Return the hard state; that of an empty disk where there is none."""
    if value is None:
        return HardState()
    if len(value) == _HARD_BEFORE.size:
        return HardState(*_HARD_BEFORE.unpack(value))
    promised, current, commit, configuration, *reach, _number = _HARD.unpack(value)
    return HardState(promised, current, commit, configuration, Point(*reach))


def born(number: int | None) -> int:
    """Return the birth number: random, 63 bits, never 0."""
    return number or int.from_bytes(os.urandom(8), "big") >> 1 or 1


def raised(number: int | None) -> int:
    """Return the number of this start.

    Writes of an older start are ignored everywhere, so a folder that replaces a lost one must not
    begin again at 1: the first number is a time, in seconds, and no folder is opened every second.
    """
    return max(1, int(time.time()) - EPOCH_S) if number is None else number + 1
