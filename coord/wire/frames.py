"""Frames: a length of four bytes, then so many bytes. Whole frames out of a stream, and into one.

Replies and notifications are framed here in one step, for there are many of them.
Source: org/apache/zookeeper/server/NIOServerCnxn.java, ClientCnxnSocket.java.
"""

import struct

from coord.wire.numbers import KeeperState, Xid

FRAME_BYTES_MAX = 0xFFFFF
"""ZooKeeper's own limit (jute.maxbuffer), both ways: clients refuse what is longer."""

_LENGTH_BYTES = 4
_REPLY_HEADER_BYTES = 16
_NOTIFICATION_BYTES = 28  # header, type, state and the length of the path

_length = struct.Struct(">I")  # unsigned: a negative length is far over every limit
_reply = struct.Struct(">Iiqi")
_notification = struct.Struct(">Iiqiiii")

_pack_reply = _reply.pack
_pack_notification = _notification.pack


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
        unpack, least, limit = _length.unpack_from, self._least, self._limit
        size = len(data)
        at, start = 0, _LENGTH_BYTES
        while start <= size:
            (length,) = unpack(data, at)
            if not least <= length <= limit:
                raise FrameError(_wrong_length(length, least, limit))
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
    return _length.pack(len(body)) + body


def encode_reply(xid: int, zxid: int, error: int, body: bytes = b"") -> bytes:
    """Return the frame of a reply; one with an error has no body."""
    return _pack_reply(_REPLY_HEADER_BYTES + len(body), xid, zxid, error) + body


def encode_reply_header(xid: int, zxid: int, body_bytes: int) -> bytes:
    """Return what stands before a body of so many bytes in the frame of a reply without error."""
    return _pack_reply(_REPLY_HEADER_BYTES + body_bytes, xid, zxid, 0)


def encode_notification(event_type: int, path: bytes, zxid: int) -> bytes:
    """Return the frame that tells a client of one event."""
    length = len(path)
    return (
        _pack_notification(
            _NOTIFICATION_BYTES + length,
            Xid.NOTIFICATION,
            zxid,
            0,
            event_type,
            KeeperState.SYNC_CONNECTED,
            length,
        )
        + path
    )


def _wrong_length(length: int, least: int, limit: int) -> str:
    signed = length - (1 << 32) if length >> 31 else length
    return f"a frame of {signed} bytes: it must be of {least} to {limit}"
