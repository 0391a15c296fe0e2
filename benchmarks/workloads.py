"""What a load generator's connection sends, encoded beforehand, and what must come back.

A reply is right when its xid is the next one, its error is 0, its length is the one that this
request's reply has, and one telling piece of its body has the expected bytes: the value read, the
path created, the dataLength of the new Stat.
"""

import itertools
import random
import struct
from collections.abc import Iterator, Sequence

import attrs

KEYS = 1000
VALUE_BYTES = 100
REQUESTS = 1000
"""Requests in a batch; ten times the deepest pipeline, so that xids in flight are all different."""
CHILD_DIGITS = 9

CREATE, DELETE, GET_DATA, SET_DATA = 1, 2, 4, 5
OPEN_ACL = struct.pack(">iii5si6s", 1, 31, 5, b"world", 6, b"anyone")
HEADER_BYTES = 16
STAT_BYTES = 68
DATA_LENGTH_OFFSET = 52
"""Where in a Stat its dataLength stands."""


@attrs.frozen
class Want:
    """What the reply to one request must be."""

    length: int
    """Of the frame, less the four bytes of the length itself."""
    start: int
    """Where the telling piece begins, counted from the length field."""
    piece: bytes
    """The telling piece; empty when the header says it all."""


@attrs.frozen
class Batch:
    """Requests with the xids 1, 2, 3 and so on, ready to be sent from any one to any other."""

    frames: bytes
    """All of them, one behind the other."""
    offsets: Sequence[int]
    """Where each begins, and at last the end."""
    wants: Sequence[tuple[int, int, int, bytes]]
    """For each its reply: length, start and end of the telling piece, and the piece."""
    constant: bool = False
    """Whether it is sent for ever and each reply is the same every time, but for the zxid."""


def text(value: bytes) -> bytes:
    """Encode a jute string or buffer."""
    return struct.pack(">i", len(value)) + value


def frame(xid: int, code: int, body: bytes) -> bytes:
    """Encode a whole request."""
    return struct.pack(">iii", 8 + len(body), xid, code) + body


def batch(requests: Sequence[bytes], wants: Sequence[Want], *, constant: bool = False) -> Batch:
    """Join requests that carry ascending xids."""
    offsets = [0]
    for request in requests:
        offsets.append(offsets[-1] + len(request))
    checks = [(w.length, w.start, w.start + len(w.piece), w.piece) for w in wants]
    return Batch(b"".join(requests), offsets, checks, constant)


def key(number: int) -> bytes:
    """Name one of the nodes that are there before."""
    return b"/benchmark/k%06d" % number


def value(number: int) -> bytes:
    """Return what a node always holds: its own name, so that a mixed-up reply is noticed."""
    return key(number).ljust(VALUE_BYTES, b".")


def read(xid: int, path: bytes) -> bytes:
    """Read a node."""
    return frame(xid, GET_DATA, text(path) + b"\0")


def set_request(xid: int, number: int) -> bytes:
    """Write a key."""
    return frame(xid, SET_DATA, text(key(number)) + text(value(number)) + b"\xff" * 4)


def create_request(xid: int, path: bytes, data: bytes) -> bytes:
    """Create a persistent node."""
    return frame(xid, CREATE, text(path) + text(data) + OPEN_ACL + bytes(4))


def get_want(number: int) -> Want:
    """Expect the value and a Stat."""
    return Want(HEADER_BYTES + 4 + VALUE_BYTES + STAT_BYTES, 24, value(number))


SET_WANT = Want(HEADER_BYTES + STAT_BYTES, 20 + DATA_LENGTH_OFFSET, struct.pack(">i", VALUE_BYTES))


def create_want(path: bytes) -> Want:
    """Expect the path."""
    return Want(HEADER_BYTES + 4 + len(path), 24, path)


def keys() -> Iterator[Batch]:
    """Create the parent and the keys."""
    paths = [(b"/benchmark", b""), *((key(n), value(n)) for n in range(KEYS))]
    requests = [create_request(xid, *pair) for xid, pair in enumerate(paths, 1)]
    yield batch(requests, [create_want(path) for path, _ in paths])


def mixed(seed: int, read_percent: int) -> Iterator[Batch]:
    """Read and write random keys, for ever; the percentage may be 0 or 100."""
    chance = random.Random(seed)
    requests, wants = [], []
    for xid in range(1, REQUESTS + 1):
        number = chance.randrange(KEYS)
        if chance.randrange(100) < read_percent:
            requests.append(read(xid, key(number)))
            wants.append(get_want(number))
        else:
            requests.append(set_request(xid, number))
            wants.append(SET_WANT)
    endless = batch(requests, wants, constant=read_percent == 100)
    while True:
        yield endless


def child(parent: bytes, number: int) -> bytes:
    """Name a node that the create load makes."""
    return parent + b"/n%0*d" % (CHILD_DIGITS, number)


def parent(parent_path: bytes) -> Iterator[Batch]:
    """Create the parent of one connection's creates."""
    yield batch([create_request(1, parent_path, b"")], [create_want(parent_path)])


def creates(parent_path: bytes) -> Iterator[Batch]:
    """Create one node after the other below a parent, for ever."""
    path = child(parent_path, 0)
    sample = create_request(1, path, value(0))
    heads = [struct.pack(">ii", len(sample) - 4, xid) for xid in range(1, REQUESTS + 1)]
    # The requests differ in their xid and in the number at the end of their path only.
    digits = 16 + len(path) - CHILD_DIGITS
    middle, tail = sample[8:digits], sample[digits + CHILD_DIGITS :]
    offsets = [len(sample) * n for n in range(REQUESTS + 1)]
    prefix = path[:-CHILD_DIGITS]
    length, start, end, _ = batch([sample], [create_want(path)]).wants[0]
    for first in itertools.count(0, REQUESTS):
        numbers = [b"%0*d" % (CHILD_DIGITS, n) for n in range(first, first + REQUESTS)]
        pieces = [head + middle + n + tail for head, n in zip(heads, numbers, strict=True)]
        wants = [(length, start, end, prefix + n) for n in numbers]
        yield Batch(b"".join(pieces), offsets, wants)


def random_reads(parents: Sequence[bytes], each: int, seed: int) -> Iterator[Batch]:
    """Read random ones of the nodes that `creates` made, so many below each parent, for ever."""
    chance = random.Random(seed)
    want = get_want(0)
    while True:
        paths = [child(chance.choice(parents), chance.randrange(each)) for _ in range(REQUESTS)]
        yield batch([read(xid, path) for xid, path in enumerate(paths, 1)], [want] * REQUESTS)


def some(batches: Iterator[Batch], count: int) -> Iterator[Batch]:
    """Cut an endless load after so many requests."""
    while count > 0:
        whole = next(batches)
        if len(whole.wants) > count:
            whole = Batch(whole.frames, whole.offsets[: count + 1], whole.wants[:count])
        count -= len(whole.wants)
        yield whole


def deletes(parent_path: bytes, count: int) -> Iterator[Batch]:
    """Delete what `creates` made, and the parent."""
    paths = [child(parent_path, n) for n in range(count)] + [parent_path]
    for first in range(0, len(paths), REQUESTS):
        part = paths[first : first + REQUESTS]
        requests = [
            frame(xid, DELETE, text(path) + b"\xff" * 4) for xid, path in enumerate(part, 1)
        ]
        yield batch(requests, [Want(HEADER_BYTES, 0, b"")] * len(part))
