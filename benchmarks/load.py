"""A load generator: closed loops over many connections in one thread, every reply checked.

Requests come encoded from `workloads`; a turn of the loop takes what one connection has received,
checks it, and sends as many new requests as were answered, in one call each. That is cheap enough
to drive servers on two cores from plain Python (the `loader` column of the benchmark says how much
processor time it took itself).
"""

import contextlib
import gc
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import attrs

from benchmarks.workloads import Batch

RECEIVE_BYTES = 1 << 15
REPLY_BYTES_MAX = 1 << 12
SECONDS_WITHOUT_REPLY_MAX = 30.0
SESSION_TIMEOUT_MS = 30_000
SYNC, CLOSE_SESSION = 9, -11
HEADER = struct.Struct(">iiqi")


class WrongReply(Exception):  # noqa: N818 - it names what was found
    """A reply that is not the one to the oldest outstanding request, or not a right one."""


@attrs.frozen
class Measurement:
    """One run of one load."""

    operations: int
    """Replies within the measured time."""
    seconds: float
    """The measured time."""
    latencies: Sequence[tuple[int, int]]
    """(nanoseconds, number of replies that took as long), ascending."""
    loader_seconds: float
    """This process's own processor time within the measured time."""

    def latency_ms(self, percent: float) -> float:
        """Return the time within which so many percent of the requests were answered."""
        rank = percent / 100 * sum(count for _, count in self.latencies)
        for nanoseconds, count in self.latencies:
            rank -= count
            if rank <= 0:
                return nanoseconds / 1e6
        return float("nan")


class Connection:
    """A session that keeps so many requests in flight."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=SECONDS_WITHOUT_REPLY_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The kernel keeps the time: with a timeout of its own Python polls before each call.
        self.socket.settimeout(None)
        limit = struct.pack("@ll", int(SECONDS_WITHOUT_REPLY_MAX), 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        greeting = struct.pack(">iqiqi16s?", 0, 0, SESSION_TIMEOUT_MS, 0, 16, b"", 0)
        self.socket.sendall(struct.pack(">i", len(greeting)) + greeting)
        response = self.receive_frame()
        if struct.unpack_from(">i", response, 4)[0] <= 0:
            raise ConnectionError(f"{address} opened no session")
        # What the setup wrote through another replica must be there before the first read.
        self.call(SYNC, b"\0\0\0\1/")

    def receive_frame(self) -> bytes:
        """One whole frame less its length, while nothing else is in flight."""
        data = b""
        while len(data) < 4 or len(data) < 4 + struct.unpack_from(">i", data)[0]:
            piece = self.socket.recv(4096)
            if not piece:
                raise ConnectionError("the server closed the connection")
            data += piece
        return data[4:]

    def call(self, code: int, body: bytes) -> None:
        """One request and its reply."""
        self.socket.sendall(struct.pack(">iii", 8 + len(body), 1, code) + body)
        xid, _zxid, error = struct.unpack_from(">iqi", self.receive_frame())
        if (xid, error) != (1, 0):
            raise WrongReply(f"xid {xid}, error {error} instead of xid 1, error 0")


def close(connections: Sequence[Connection]) -> None:
    """End the sessions, all at once, and wait until the servers have closed the connections."""
    request = struct.pack(">iii", 8, 1, CLOSE_SESSION)
    for connection in connections:
        connection.socket.sendall(request)
    for connection in connections:
        with contextlib.suppress(ConnectionError):
            while connection.socket.recv(REPLY_BYTES_MAX):
                pass
        connection.socket.close()


class Pipeline:
    """The requests of one connection on their way; sends the first ones when it is made."""

    def __init__(self, connection: Connection, batches: Iterator[Batch], depth: int) -> None:
        self.socket = connection.socket
        self.in_flight = 0
        self.done = 0
        self._batches = batches
        self._sending = next(batches)
        self._sent = 0
        self._answering: deque[Batch] = deque([self._sending])
        self._answered = 0
        self._rest = b""
        self._departures: deque[tuple[int, int]] = deque()
        self._known = KnownReplies(self._sending) if self._sending.constant else None
        self.send(depth)

    def send(self, count: int) -> None:
        """Send the next requests, fewer when the batches come to an end."""
        pieces = []
        left = count
        while left and self._has_more():
            batch = self._sending
            last = min(self._sent + left, len(batch.wants))
            pieces.append(batch.frames[batch.offsets[self._sent] : batch.offsets[last]])
            left -= last - self._sent
            self._sent = last
        if pieces:
            self._departures.append((time.perf_counter_ns(), count - left))
            self.in_flight += count - left
            self.socket.sendall(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def turn(self, latencies: list[tuple[int, int]], *, sending: bool) -> None:
        """Take the replies that have arrived; send as many requests."""
        count = self.receive(latencies)
        if sending and count:
            self.send(count)

    def _has_more(self) -> bool:
        """Whether there is a request to send; goes on to the next batch."""
        if self._sent < len(self._sending.wants):
            return True
        if not self._sending.constant:
            following = next(self._batches, None)
            if following is None:
                return False
            self._sending = following
            self._answering.append(following)
        self._sent = 0
        return True

    def receive(self, latencies: list[tuple[int, int]]) -> int:
        """Take what has arrived, check it, note the latencies; the number of replies."""
        data = self.socket.recv(RECEIVE_BYTES)
        now = time.perf_counter_ns()
        if not data:
            raise ConnectionError("the server closed the connection")
        if self._rest:
            data = self._rest + data
        count = 0
        if self._known is not None:
            count = self._known.recognise(data, self._answered)
            self._answered = (self._answered + count) % len(self._sending.wants)
            data = data[count * self._known.size :]
        count += self._check(data)
        self.in_flight -= count
        self.done += count
        self._note(latencies, now, count)
        return count

    def _note(self, latencies: list[tuple[int, int]], now: int, count: int) -> None:
        while count:
            departure, number = self._departures[0]
            if number > count:
                self._departures[0] = (departure, number - count)
                number = count
            else:
                self._departures.popleft()
            latencies.append((now - departure, number))
            count -= number

    def _check(self, data: bytes) -> int:
        """Check reply by reply, keep what is not yet whole; the number of replies."""
        offset, total, first = 0, len(data), self._answered
        wants, answered, count = self._answering[0].wants, first, 0
        while offset + 20 <= total:
            length, xid, _zxid, error = HEADER.unpack_from(data, offset)
            if offset + 4 + length > total:
                break
            if answered == len(wants):
                wants, answered = self._next_wants(), 0
            want, start, end, piece = wants[answered]
            answered += 1
            if (
                xid != answered
                or error
                or length != want
                or data[offset + start : offset + end] != piece
            ):
                raise WrongReply(
                    f"xid {xid}, error {error}, {length} bytes instead of xid {answered}, "
                    f"{want} bytes with {piece!r}: {data[offset : offset + 4 + length]!r}"
                )
            offset += 4 + length
            count += 1
        self._rest = data[offset:]
        self._answered = answered
        if self._known is not None and offset:
            self._known.learn(data[:offset], first)
        return count

    def _next_wants(self) -> Sequence[tuple[int, int, int, bytes]]:
        if not self._answering[0].constant:
            self._answering.popleft()
        return self._answering[0].wants


class Synchronous:
    """One request in flight: what `Pipeline` does at depth 1, in a third of the time."""

    def __init__(self, connection: Connection, batches: Iterator[Batch]) -> None:
        self.socket = connection.socket
        self.in_flight = 0
        self.done = 0
        self._batches = batches
        self._batch = next(batches)
        self._place = 0
        self._departure = 0
        self._send()

    def _send(self) -> None:
        place = self._place
        if place == len(self._batch.wants):
            if not self._batch.constant:
                self._batch = next(self._batches)
            place = self._place = 0
        offsets = self._batch.offsets
        self.in_flight = 1
        self._departure = time.perf_counter_ns()
        self.socket.sendall(self._batch.frames[offsets[place] : offsets[place + 1]])

    def turn(self, latencies: list[tuple[int, int]], *, sending: bool) -> None:
        """Take and check the reply; send the next request."""
        data = self.socket.recv(REPLY_BYTES_MAX)
        latencies.append((time.perf_counter_ns() - self._departure, 1))
        want, start, end, piece = self._batch.wants[self._place]
        self._place += 1
        while len(data) < 20 or len(data) < 4 + HEADER.unpack_from(data)[0]:
            # Rare: a server that sent the length by itself.
            piece_after = self.socket.recv(REPLY_BYTES_MAX)
            if not piece_after:
                raise ConnectionError("the server closed the connection")
            data += piece_after
        length, xid, _zxid, error = HEADER.unpack_from(data)
        if (
            xid != self._place
            or error
            or length != want
            or len(data) != want + 4
            or data[start:end] != piece
        ):
            raise WrongReply(f"instead of xid {self._place}, {want} bytes, {piece!r}: {data!r}")
        self.done += 1
        self.in_flight = 0
        if sending:
            self._send()


def pipeline(
    connection: Connection, batches: Iterator[Batch], depth: int
) -> "Pipeline | Synchronous":
    """Start a closed loop over endless batches."""
    return Synchronous(connection, batches) if depth == 1 else Pipeline(connection, batches, depth)


class KnownReplies:
    """The replies to a constant batch as they came last time, to compare many at once.

    Only the zxid in them may change; then they are checked one by one and learned anew.
    """

    def __init__(self, batch: Batch) -> None:
        self.size = 4 + batch.wants[0][0]
        self._number = len(batch.wants)
        self._replies = bytearray(self._number * self.size)
        self._learned = 0

    def learn(self, replies: bytes, first: int) -> None:
        """Keep replies that were checked; `first` is the place of the first in the batch."""
        place = first % self._number * self.size
        room = len(self._replies) - place
        self._replies[place : place + len(replies[:room])] = replies[:room]
        self._replies[: len(replies[room:])] = replies[room:]
        self._learned += len(replies) // self.size

    def recognise(self, data: bytes, first: int) -> int:
        """How many whole replies at the head of the data are the known ones."""
        if self._learned < self._number:
            return 0
        place, count = first % self._number, 0
        whole = len(data) // self.size
        while count < whole:
            number = min(whole - count, self._number - place)
            part = data[count * self.size : (count + number) * self.size]
            if not self._replies.startswith(part, place * self.size):
                self._learned = 0
                break
            count += number
            place = 0
        return count


class Load:
    """Pipelines that are driven together."""

    def __init__(self, pipelines: Sequence[Pipeline | Synchronous]) -> None:
        self._pipelines = {pipeline.socket.fileno(): pipeline for pipeline in pipelines}
        self._latencies: list[tuple[int, int]] = []
        self._epoll = select.epoll()
        for descriptor in self._pipelines:
            self._epoll.register(descriptor, select.EPOLLIN)

    def run(
        self,
        *,
        warm_up: float,
        seconds: float,
        at_start: Callable[[], None],
        at_end: Callable[[], None],
    ) -> Measurement:
        """Keep the pipelines full, measure after the warm-up, then let them run empty."""
        gc.collect()
        gc.disable()
        try:
            self._turn_until(time.perf_counter() + warm_up)
            self._latencies.clear()
            done, began, used = self._done, time.perf_counter(), time.process_time()
            at_start()
            self._turn_until(began + seconds)
            at_end()
            result = Measurement(
                operations=self._done - done,
                seconds=time.perf_counter() - began,
                latencies=sorted(self._latencies),
                loader_seconds=time.process_time() - used,
            )
            while any(pipeline.in_flight for pipeline in self._pipelines.values()):
                self._turn(sending=False)
            return result
        finally:
            gc.enable()

    def run_out(self) -> None:
        """Until every request of every batch is answered."""
        while any(pipeline.in_flight for pipeline in self._pipelines.values()):
            self._turn(sending=True)

    @property
    def _done(self) -> int:
        return sum(pipeline.done for pipeline in self._pipelines.values())

    def _turn_until(self, deadline: float) -> None:
        while time.perf_counter() < deadline:
            self._turn(sending=True)

    def _turn(self, *, sending: bool) -> None:
        ready = self._epoll.poll(SECONDS_WITHOUT_REPLY_MAX)
        if not ready:
            raise WrongReply(f"no reply within {SECONDS_WITHOUT_REPLY_MAX} s")
        for descriptor, _ in ready:
            self._pipelines[descriptor].turn(self._latencies, sending=sending)
