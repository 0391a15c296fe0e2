"""Trees as they lie on a disk, and as they travel between replicas in checksummed chunks."""

import random
from struct import Struct
from zlib import crc32

import attrs

from coord.consensus.log import ORIGIN, Point
from coord.state.dict_store import DictStore
from coord.state.paths import child_of
from coord.state.record import is_intact
from coord.state.rows import is_intact as is_row_intact
from coord.state.store import Store, Table
from coord.storage.errors import DamagedTree

_HEAD = Struct(">IIB")  # checksum, number of the chunk, whether it is the last
_RECORD = Struct(">BHI")  # table or NODE, length of the key, length of the value
NODE = 255
POINT = 254
_POINT = Struct(">qqQ")


@attrs.define
class Image:
    """A flushed tree; records and rows bear checksums of their own."""

    point: Point = ORIGIN
    configuration: bytes = b""
    nodes: dict[bytes, bytes] = attrs.field(factory=dict)
    """Parents stand before their children."""
    rows: dict[tuple[int, bytes], bytes] = attrs.field(factory=dict)

    @classmethod
    def of(cls, store: Store, point: Point, configuration: bytes) -> "Image":
        """All that a store holds now."""
        image = cls(point, configuration)
        paths = [b"/"] if store.get(b"/") is not None else []
        for path in paths:
            record = store.get(path)
            assert record is not None
            image.nodes[path] = record
            paths += [child_of(path, name) for name in store.children(path)]
        for table in Table:
            for key, value in store.rows(table):
                image.rows[int(table), key] = value
        return image

    def check(self) -> None:
        """Raise DamagedTree unless everything is as it was written."""
        for path, record in self.nodes.items():
            if not is_intact(path, record):
                raise DamagedTree(f"the znode {path!r} is damaged")
        for (table, key), value in self.rows.items():
            if not is_row_intact(Table(table), key, value):
                raise DamagedTree(f"a row of table {table} is damaged")

    def store(self) -> DictStore:
        """A store that holds this; raises DamagedTree."""
        self.check()
        store = DictStore()
        for (table, key), value in self.rows.items():
            store.put_row(Table(table), key, value)
        for path, record in self.nodes.items():
            store.put(path, record)
        return store

    def rot(self, rng: random.Random) -> None:
        """A bit flips in some record; in a copy of this image's dictionary."""
        path = rng.choice(list(self.nodes))
        record = bytearray(self.nodes[path])
        record[rng.randrange(len(record))] ^= 1 << rng.randrange(8)
        self.nodes = {**self.nodes, path: bytes(record)}

    def chunks(self, records_max: int) -> list[bytes]:
        """The tree as it travels."""
        point = _POINT.pack(self.point.index, self.point.epoch, self.point.chain)
        records = [(POINT, point, self.configuration)]
        records += [(NODE, path, record) for path, record in self.nodes.items()]
        records += [(table, key, value) for (table, key), value in self.rows.items()]
        pieces = [records[at : at + records_max] for at in range(0, len(records), records_max)]
        return [
            _chunk(number, piece, is_last=number + 1 == len(pieces))
            for number, piece in enumerate(pieces)
        ]

    def take(self, chunk: bytes, number: int) -> bool:
        """Add a chunk that came; tell whether it was the one that was due, and whole."""
        if len(chunk) < _HEAD.size:
            return False
        checksum, its_number, _is_last = _HEAD.unpack_from(chunk)
        if checksum != crc32(chunk[4:]) or its_number != number:
            return False
        at = _HEAD.size
        while at < len(chunk):
            table, key_length, value_length = _RECORD.unpack_from(chunk, at)
            at += _RECORD.size
            key = chunk[at : at + key_length]
            at += key_length
            value = chunk[at : at + value_length]
            at += value_length
            if table == NODE:
                self.nodes[key] = value
            elif table == POINT:
                self.point, self.configuration = Point(*_POINT.unpack(key)), value
            else:
                self.rows[table, key] = value
        return True


def _chunk(number: int, records: list[tuple[int, bytes, bytes]], *, is_last: bool) -> bytes:
    parts = [_HEAD.pack(0, number, is_last)[4:]]
    for table, key, value in records:
        parts += (_RECORD.pack(table, len(key), len(value)), key, value)
    body = b"".join(parts)
    return crc32(body).to_bytes(4) + body
