"""Stencils: a replica as bytes, to be restored from, and as a key that equal replicas share.

Pickle writes an object that is met again as a reference to the first; so what is equal, but not the
same object everywhere, would have different bytes. The key is written without references.
Records that never change are one object each here, and a number in the bytes.
"""

import copyreg
import io
import pickle
from collections.abc import Callable, Hashable
from typing import Any

from coord.consensus.candidate import Candidate
from coord.consensus.configuration import Configuration
from coord.consensus.effects import Persist
from coord.consensus.follower import Follower
from coord.consensus.gathering import Gathering
from coord.consensus.handed import Handed
from coord.consensus.journal import Journal
from coord.consensus.leader import Leader
from coord.consensus.log import Entry, HardState, Point
from coord.consensus.membership import Membership
from coord.consensus.messages import MESSAGES, Mark
from coord.consensus.node import Node
from coord.consensus.outbox import Outbox
from coord.consensus.progress import Flow, Progress
from coord.consensus.reads import Barriers
from coord.consensus.replication import Replication
from coord.consensus.role import Core
from coord.consensus.settings import Limits, NodeSettings
from tests.consensus.disk import Disk, Tree
from tests.exploration.bounds import Cost
from tests.exploration.replica import Replica

_records: list[Any] = []
_numbers: dict[Hashable, int] = {}
_numbers_by_id: dict[int, int] = {}
"""Of the records themselves, which are never dropped: found without a look at what they hold."""


def number_of(record: Any, key: Hashable | None = None) -> int:
    """Return the number of a record; equal ones have one."""
    number = _numbers.setdefault(record if key is None else key, len(_records))
    if number == len(_records):
        _records.append(record)
        _numbers_by_id[id(record)] = number
    return number


def record(number: int) -> Any:
    """Return the one record of this number."""
    return _records[number]


def _written(value: Any) -> tuple[Callable[[int], Any], tuple[int]]:
    number = _numbers_by_id.get(id(value))
    return record, (number_of(value) if number is None else number,)


def _membership_written(value: Membership) -> tuple[Callable[[int], Any], tuple[int]]:
    if id(value) in _numbers_by_id:
        return record, (_numbers_by_id[id(value)],)
    key = (Membership, value.configuration, value.voters, value.others, value.system.text)
    return record, (number_of(value, key),)


_TABLE: dict[type, Callable[[Any], Any]] = {
    **dict.fromkeys(
        (
            Configuration,
            Persist,
            Handed,
            Entry,
            HardState,
            Point,
            Mark,
            NodeSettings,
            Limits,
            Flow,
            Tree,
            Cost,
        ),
        _written,
    ),
    **dict.fromkeys(MESSAGES.values(), _written),
    Membership: _membership_written,
}


_HUBS = (Node, Core, Journal, Outbox, Disk, Replication)
"""What a replica has one of, and many refer to; a Replication holds nothing but its Leader's."""

_PARTS = (Follower, Candidate, Leader, Progress, Barriers, Gathering)
"""What a replica's role is made of."""


def _values(value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    return record, (type(value).__name__, *vars(value).values())


_TABLE_OF_KEYS: dict[type, Callable[[Any], Any]] = {
    **_TABLE,
    **dict.fromkeys(_HUBS, lambda _: (record, ())),
    **dict.fromkeys(_PARTS, _values),
}

copyreg.add_extension(__name__, "record", 0x7F000001)  # which makes references to it short


def stencil(replica: Replica) -> bytes:
    """Return what `restored` makes an equal replica of."""
    return _pickled(replica, _TABLE, fast=False)


def key_of(replica: Replica) -> bytes:
    """Return the same bytes for all equal replicas."""
    core = replica.node._core
    hubs = (replica, replica.node, core, core.journal, core.outbox, replica.disk)
    return _pickled([list(vars(hub).values()) for hub in hubs], _TABLE_OF_KEYS, fast=True)


def restored(data: bytes) -> Replica:
    """Return a replica that can be changed."""
    replica: Replica = pickle.loads(data)
    return replica


def _pickled(value: object, table: dict[type, Any], *, fast: bool) -> bytes:
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.fast = fast
    pickler.dispatch_table = table
    pickler.dump(value)
    return buffer.getvalue()
