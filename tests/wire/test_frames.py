"""Frames out of a stream, and into one."""

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord import jute
from coord.wire.frames import (
    FRAME_BYTES_MAX,
    FrameBuffer,
    FrameError,
    encode_frame,
    encode_notification,
    encode_reply,
)
from coord.wire.records import ReplyHeader, WatcherEvent

TABLE = [
    ([], ""),
    ([b""], "00000000"),
    ([b"a"], "00000001 61"),
    ([b"", b"a", b""], "00000000 00000001 61 00000000"),
    ([b"abc", bytes(300)], "00000003 616263 0000012c" + "00" * 300),
]

table = pytest.mark.parametrize(("bodies", "stream"), TABLE)


@table
def test_bodies_become_this_stream(bodies: list[bytes], stream: str) -> None:
    assert b"".join(map(encode_frame, bodies)) == bytes.fromhex(stream)


@table
def test_the_stream_becomes_these_bodies_when_it_comes_whole(
    bodies: list[bytes], stream: str
) -> None:
    assert FrameBuffer().feed(bytes.fromhex(stream)) == bodies


@table
def test_the_stream_becomes_these_bodies_when_it_comes_byte_by_byte(
    bodies: list[bytes], stream: str
) -> None:
    buffer = FrameBuffer()
    data = bytes.fromhex(stream)
    assert [each for at in range(len(data)) for each in buffer.feed(data[at : at + 1])] == bodies


@table
def test_bytes_left_over_wait_for_the_rest_of_their_frame(bodies: list[bytes], stream: str) -> None:
    for left_over in (b"\0", b"\0\0\0\2", b"\0\0\0\2z"):
        buffer = FrameBuffer()
        assert buffer.feed(bytes.fromhex(stream) + left_over) == bodies
        assert buffer.feed(b"") == []
        assert buffer.feed(b"\0\0\0\2zz"[len(left_over) :] + b"\0") == [b"zz"]


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 60)))
def test_it_does_not_matter_where_the_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(encode_frame, bodies))
    buffer = FrameBuffer()
    frames: list[bytes] = []
    for cut in cuts:
        frames += buffer.feed(stream[:cut])
        stream = stream[cut:]
    assert frames + buffer.feed(stream) == bodies


@pytest.mark.parametrize("length", [-1, -(2**31), FRAME_BYTES_MAX + 1, 2**31 - 1])
@pytest.mark.parametrize("before", [b"", b"\0\0\0\1a"], ids=["first", "second"])
def test_an_impossible_length_is_an_error_as_soon_as_it_is_there(
    length: int, before: bytes
) -> None:
    with pytest.raises(FrameError, match=f"a frame of {length} bytes"):
        FrameBuffer().feed(before + struct.pack(">i", length))


def test_an_impossible_length_that_comes_byte_by_byte_is_an_error_at_its_last_byte() -> None:
    buffer = FrameBuffer()
    for byte in (b"\xff", b"\xff", b"\xff"):
        assert buffer.feed(byte) == []
    with pytest.raises(FrameError):
        buffer.feed(b"\xff")


def test_the_longest_and_the_shortest_frame_pass_and_one_byte_more_or_less_does_not() -> None:
    assert len(FrameBuffer().feed(encode_frame(bytes(FRAME_BYTES_MAX)))[0]) == FRAME_BYTES_MAX
    assert FrameBuffer(limit=9, least=8).feed(encode_frame(bytes(8)) + encode_frame(bytes(9)))
    for length in (7, 10):
        with pytest.raises(FrameError, match="it must be of 8 to 9"):
            FrameBuffer(limit=9, least=8).feed(encode_frame(bytes(length)))


def test_a_large_frame_in_small_pieces_is_put_together_once() -> None:
    """Memory is watched, not time: a buffer that copied all it holds for each piece would show."""
    frame = bytes(100_000)
    stream = encode_frame(frame)
    pieces = [stream[at : at + 100] for at in range(0, len(stream), 100)]
    buffer = FrameBuffer()
    frames = []
    large_copies = 0
    tracemalloc.start()
    try:
        for piece in pieces:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            frames += buffer.feed(piece)
            _, peak = tracemalloc.get_traced_memory()
            large_copies += peak - before > 20_000
    finally:
        tracemalloc.stop()
    assert frames == [frame]
    assert large_copies <= 1, "only the last piece may cause it"


@given(st.binary(max_size=60))
def test_garbage_is_frames_or_a_frame_error(garbage: bytes) -> None:
    try:
        frames = FrameBuffer(limit=20).feed(garbage)
    except FrameError:
        return
    assert garbage.startswith(b"".join(map(encode_frame, frames)))


def test_a_reply_is_a_header_and_a_body_in_one_frame() -> None:
    (frame,) = FrameBuffer().feed(encode_reply(7, 2**40, 0, b"body"))
    assert jute.decode(ReplyHeader, frame) == (ReplyHeader(7, 2**40, 0), 16)
    assert frame[16:] == b"body"


def test_an_error_is_a_header_alone() -> None:
    assert encode_reply(1, 5, -101) == bytes.fromhex("00000010 00000001 0000000000000005 ffffff9b")


def test_a_notification_has_the_bytes_that_zookeeper_gives_it() -> None:
    recorded = "0000001e ffffffff ffffffffffffffff 00000000 00000003 00000003 00000002 2f77"
    assert encode_notification(3, b"/w", -1) == bytes.fromhex(recorded)


def test_a_notification_carries_the_zxid_of_the_change() -> None:
    (frame,) = FrameBuffer().feed(encode_notification(1, "/é".encode(), 77))
    assert jute.decode(ReplyHeader, frame) == (ReplyHeader(-1, 77, 0), 16)
    assert jute.decode(WatcherEvent, frame, 16) == (WatcherEvent(1, 3, "/é"), len(frame))
