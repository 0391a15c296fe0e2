"""What is read of a znode."""

import datetime
import struct
from typing import NamedTuple

from coord.jute import DecodeError
from coord.wire import records

_STAT = struct.Struct(">qqqqiiiqiiq")
_STAT_BYTES = _STAT.size
_unpack_stat = _STAT.unpack_from
_unpack_length = struct.Struct(">i").unpack_from

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Stat(NamedTuple):
    """What is known of a znode besides its data.

    stat = await zk.exists("/a")
    print(stat.version, stat.mtime.isoformat(), stat.mtime - stat.ctime)
    """

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

    @classmethod
    def read(cls, body: bytes) -> "Stat":
        """Return the Stat that is the body of a reply. Raises DecodeError for other bytes."""
        try:
            return cls._make(_unpack_stat(body))
        except struct.error as error:
            raise DecodeError(f"a Stat of {len(body)} bytes") from error

    @property
    def ctime(self) -> datetime.datetime:
        """Time of its creation, by the leader's clock."""
        return _EPOCH + datetime.timedelta(milliseconds=self.ctime_ms)

    @property
    def mtime(self) -> datetime.datetime:
        """Time of the last change of its data, by the leader's clock."""
        return _EPOCH + datetime.timedelta(milliseconds=self.mtime_ms)


class Znode(NamedTuple):
    """A znode as it was at one moment.

    data, stat = await zk.get("/a")
    print(data, stat.version)
    """

    data: bytes
    """Its data; b"" also where the znode holds null."""
    stat: Stat
    """The rest."""

    @classmethod
    def read(cls, body: bytes) -> "Znode":
        """Return the znode that is the body of a reply. Raises DecodeError for other bytes."""
        end = len(body) - _STAT_BYTES
        try:
            (length,) = _unpack_length(body)
            if length != end - 4 and (length, end) != (-1, 4):  # -1: null
                raise DecodeError(f"{length} bytes of data in a reply of {len(body)}")
            return cls(body[4:end], Stat._make(_unpack_stat(body, end)))
        except struct.error as error:
            raise DecodeError(f"a znode of {len(body)} bytes") from error
