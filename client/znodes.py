"""What is read of a znode."""

import datetime
from typing import NamedTuple

import attrs

from coord.wire import records

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@attrs.frozen
class Stat:
    """What is known of a znode besides its data."""

    czxid: int
    """zxid of its creation."""
    mzxid: int
    """zxid of the last change of its data."""
    ctime_ms: int
    """Time of its creation: milliseconds since 1970."""
    mtime_ms: int
    """Time of the last change of its data: milliseconds since 1970."""
    version: int
    """Number of changes of its data."""
    cversion: int
    """Number of children created and deleted."""
    aversion: int
    """Number of changes of its ACL."""
    ephemeral_owner: int
    """Session that owns an ephemeral znode; 0 for all others."""
    data_length: int
    """Length of its data in bytes."""
    num_children: int
    """Number of its children."""
    pzxid: int
    """zxid of the last creation or deletion of a child."""

    @classmethod
    def of(cls, stat: records.Stat) -> "Stat":
        """Return what came over the wire."""
        return cls(
            stat.czxid,
            stat.mzxid,
            stat.ctime,
            stat.mtime,
            stat.version,
            stat.cversion,
            stat.aversion,
            stat.ephemeral_owner,
            stat.data_length,
            stat.num_children,
            stat.pzxid,
        )

    @property
    def ctime(self) -> datetime.datetime:
        """Time of its creation, by the leader's clock."""
        return _EPOCH + datetime.timedelta(milliseconds=self.ctime_ms)

    @property
    def mtime(self) -> datetime.datetime:
        """Time of the last change of its data, by the leader's clock."""
        return _EPOCH + datetime.timedelta(milliseconds=self.mtime_ms)


class Znode(NamedTuple):
    """A znode as it was at one moment: `data, stat = await zk.get(path)`."""

    data: bytes
    """Its data; b"" also where the znode holds null."""
    stat: Stat
    """The rest."""
