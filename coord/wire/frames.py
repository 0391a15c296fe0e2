"""Frames: a length of four bytes, then so many bytes. Whole frames out of a stream, and into one.

Replies and notifications are framed here in one step, for there are many of them.
Source: org/apache/zookeeper/server/NIOServerCnxn.java, ClientCnxnSocket.java.
"""

from typing import Final

from librt.strings import BytesWriter, read_i32_be, write_i32_be, write_i64_be

from coord.wire.numbers import KeeperState, Xid

FRAME_BYTES_MAX: Final = 0xFFFFF
"""ZooKeeper's own limit (jute.maxbuffer), both ways: clients refuse what is longer."""

_LENGTH_BYTES: Final = 4
_REPLY_HEADER_BYTES: Final = 16
_NOTIFICATION_BYTES: Final = 28  # header, type, state and the length of the path
# Plain numbers: an attribute of an enumeration takes as long as a look into a dictionary.
_NOTIFICATION: Final = int(Xid.NOTIFICATION)
_SYNC_CONNECTED: Final = int(KeeperState.SYNC_CONNECTED)


class FrameError(ValueError):
    """The peer sent what cannot begin a frame, or not the frame that must come first.

    Nothing that follows makes sense: the connection must be closed. A frame that is whole but whose
    body cannot be read is another matter: that request fails and the connection goes on.
    """


class FrameBuffer:
    """Cuts a stream into frames.

    It holds one incomplete frame at most, so never more than the limit and the length before it.
    Every byte is copied a fixed number of times, however small the pieces are in which it comes.
    """

    __slots__ = ("_held", "_least", "_limit", "_wanted")

    def __init__(self, limit: int = FRAME_BYTES_MAX, least: int = 0) -> None:
        self._limit = limit
        self._least = least
        self._held = bytearray()
        self._wanted = _LENGTH_BYTES
        """How many bytes to hold before there is anything to cut."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; return the frames that are whole now, without their lengths.

        Raise FrameError for a length below the least or over the limit; frames before it are lost.
        """
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return []
            data = bytes(self._held)
            self._held = bytearray()
        frames = []
        least, limit = self._least, self._limit
        size = len(data)
        at, start = 0, _LENGTH_BYTES
        while start <= size:
            length: int = read_i32_be(data, at)
            if not least <= length <= limit:
                raise FrameError(f"a frame of {length} bytes: it must be of {least} to {limit}")
            end = start + length
            if end > size:
                break
            frames.append(data[start:end])
            at = end
            start = end + _LENGTH_BYTES
        if at < size:
            self._held += data[at:]
            self._wanted = _LENGTH_BYTES if start > size else end - at
        return frames


def encode_frame(body: bytes) -> bytes:
    """Return `body` as a frame."""
    return len(body).to_bytes(4, "big") + body


def encode_reply(xid: int, zxid: int, error: int, body: bytes = b"") -> bytes:
    """Return the frame of a reply; one with an error has no body."""
    frame = _reply_header(xid, zxid, error, len(body))
    frame.write(body)
    return frame.getvalue()


def encode_reply_header(xid: int, zxid: int, body_bytes: int) -> bytes:
    """Return what stands before a body of so many bytes in the frame of a reply without error."""
    return _reply_header(xid, zxid, 0, body_bytes).getvalue()


def encode_notification(event_type: int, path: bytes, zxid: int) -> bytes:
    """Return the frame that tells a client of one event."""
    frame = BytesWriter()
    write_i32_be(frame, _NOTIFICATION_BYTES + len(path))
    write_i32_be(frame, _NOTIFICATION)
    write_i64_be(frame, zxid)
    write_i32_be(frame, 0)
    write_i32_be(frame, event_type)
    write_i32_be(frame, _SYNC_CONNECTED)
    write_i32_be(frame, len(path))
    frame.write(path)
    return frame.getvalue()


def _reply_header(xid: int, zxid: int, error: int, body_bytes: int) -> BytesWriter:
    frame = BytesWriter()
    write_i32_be(frame, _REPLY_HEADER_BYTES + body_bytes)
    write_i32_be(frame, xid)
    write_i64_be(frame, zxid)
    write_i32_be(frame, error)
    return frame
