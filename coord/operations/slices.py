"""Answers that are too wide to be built in one go: the loop has others to serve.

Rules

1. A read of more than SLICE_NAMES names, or SLICE_PATHS paths, is answered by a generator, which
   stops after each so many, about 5 ms of work, and returns the parts of the reply's body.
2. Nothing is read before its first step. What it then lists is what was true at that moment, and
   that is the moment at which its watches are set: changes made later are not in the list.
3. Whoever does not want the rest closes it.
"""

from collections.abc import Generator
from typing import Final

from coord.wire.errors import MarshallingError

Slices = Generator[None, None, list[bytes]]

SLICE_NAMES: Final = 5_000
"""Names that are listed in one go."""
SLICE_PATHS: Final = 500
"""Paths that are looked up in one go; each may have to be read from the disk."""
REPLY_BYTES_MAX: Final = 64 << 20
"""A longer list is refused: it waits in memory until its client has taken it.

ZooKeeper's clients refuse what is longer than 1 MiB, unless they are told otherwise, but that is
their limit (jute.maxbuffer), which no server knows: ZooKeeper sends what it has, and so does coord.
"""


def check_size(size: int) -> None:
    """Raise MarshallingError when a reply has more bytes than a client may ask for."""
    if size > REPLY_BYTES_MAX:
        raise MarshallingError(f"a reply of more than {REPLY_BYTES_MAX} bytes")
