"""Reading the frames of requests that are answered here: xid, op code, body from offset 8.

What is too short, or of an impossible length, raises MarshallingError; what follows is ignored.
"""

from typing import Final, TypeVar

from librt.strings import read_i32_be

from coord import jute
from coord.wire.errors import MarshallingError

BODY_AT: Final = 8
"""Where the body begins."""
PATH_AT: Final = BODY_AT + 4
"""Where the characters of a leading path begin."""

Record = TypeVar("Record")


def path_and_watch(frame: bytes) -> tuple[bytes, int]:
    """Read a path and a flag, which is 0 or not."""
    if len(frame) < PATH_AT:
        raise MarshallingError("too short for a path")
    end: int = PATH_AT + read_i32_be(frame, BODY_AT)
    if end < PATH_AT or end >= len(frame):
        raise MarshallingError("path or flag")
    return frame[PATH_AT:end], frame[end]


def path_and_number(frame: bytes) -> tuple[bytes, int]:
    """Read a path and an int."""
    path = path_of(frame)
    end = PATH_AT + len(path)
    if len(frame) < end + 4:
        raise MarshallingError("too short for a number")
    return path, read_i32_be(frame, end)


def path_of(frame: bytes) -> bytes:
    """Read a path."""
    path = text_of(frame)
    if path is None:
        raise MarshallingError("null path")
    return path


def text_of(frame: bytes) -> bytes | None:
    """Read a text that may be null."""
    if len(frame) < PATH_AT:
        raise MarshallingError("too short for a text")
    length: int = read_i32_be(frame, BODY_AT)
    if length < -1 or length > len(frame) - PATH_AT:
        raise MarshallingError(f"text of {length} bytes")
    return None if length < 0 else frame[PATH_AT : PATH_AT + length]


def decoded(cls: type[Record], frame: bytes) -> Record:
    """Read a whole body."""
    try:
        return jute.decode(cls, frame, BODY_AT)[0]
    except jute.DecodeError as error:
        raise MarshallingError(str(error)) from error
