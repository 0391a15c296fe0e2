"""A client's connection: a stream of bytes both ways, and the transport of a `Connection`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coord.replica.connections import Connection
    from tests.simulation.client import Client
    from tests.simulation.life import Life
    from tests.simulation.sent import Sent


class Pipe:
    """One connection between a client and a life of a replica."""

    is_secure = False

    def __init__(self, client: "Client", life: "Life", number: int, sent: "Sent") -> None:
        self.client = client
        self.life = life
        self.number = number
        self.sent = sent
        """What the client sends over it."""
        self.connection: Connection | None = None
        self.is_open = True
        """The client's end."""
        self._world = life.process.world
        self._held: list[bytes] = []
        self._up_arrival = self._down_arrival = 0
        self._is_noted = False
        self._later_up(self._accepted)

    # -------------------------------------------------------------------------- client's end

    def send(self, data: bytes) -> None:
        """The client sends; now and then a frame comes in pieces."""
        world = self._world
        if len(data) > 12 and world.chance(0.02):
            cut = world.random.randrange(1, len(data))
            self._later_up(self._received, data[:cut])
            data = data[cut:]
        self._later_up(self._received, data)

    def close(self, *, is_silent: bool) -> None:
        """The client's end is gone; `is_silent`: the replica learns of it much later."""
        if self.is_open:
            self.is_open = False
            self._world.timeline.at(300_000 if is_silent else 300, self._tell_server)

    def server_died(self) -> None:
        """The replica's process is gone."""
        self.note_attachment()
        self._later_down(self._ended)

    def _tell_server(self) -> None:
        self.life.input(self._client_gone)

    # -------------------------------------------------------------------------- server's end

    def wake(self) -> None:
        """The connection has something to send, to resume or to close."""
        self.life.marked.add(self.number)

    def unread_bytes(self) -> int:
        """Bytes of the client that have come and were not read."""
        return sum(map(len, self._held))

    def _accepted(self) -> None:
        self.life.pipes[self.number] = self
        self.connection = self.life.clients.opened(self, f"10.0.0.{self.number % 250}:1")

    def _received(self, data: bytes) -> None:
        connection = self.connection
        if connection is None or connection.closed:
            return
        if connection.paused:
            self._held.append(data)
            return
        self.life.clients.received(connection, self.requests(data))
        if connection.paused:
            self.wake()

    def requests(self, data: bytes) -> bytes:
        """What the replica gets of what the client has sent."""
        return data

    def replies(self, frames: list[bytes]) -> list[bytes]:
        """What the client gets of what the replica has put out."""
        return frames

    def flush(self) -> None:
        """Send the outbox; close if that was asked for."""
        connection = self.connection
        if connection is None or connection.closed:
            return
        connection.dirty = False
        self.note_attachment()
        if connection.cut:
            self._hang_up()
            return
        frames, connection.outbox = connection.outbox, []
        connection.outbox_bytes = 0
        if frames:
            self._later_down(self._deliver, b"".join(self.replies(frames)))
        if connection.close_when_sent and not connection.held:
            self._hang_up()
            return
        while self._held and not connection.paused:
            self.life.clients.received(connection, self._held.pop(0))

    def note_attachment(self) -> None:
        """Let the history know which attachment this connection has, before it writes."""
        connection = self.connection
        if not self._is_noted and connection is not None and connection.session_id:
            self._is_noted = True
            self._world.history.attached(connection.session_id, connection.attachment, self.sent)

    def _hang_up(self) -> None:
        self._client_gone()
        self._later_down(self._ended)

    def _client_gone(self) -> None:
        connection = self.connection
        self.note_attachment()
        if connection is not None and not connection.closed:
            self.life.clients.closed(connection)
            del self.life.pipes[self.number]

    # --------------------------------------------------------------------------- on the way

    def _later_up(self, handler, *arguments) -> None:  # type: ignore[no-untyped-def]
        world = self._world
        now = world.timeline.now
        self._up_arrival = max(self._up_arrival, now + world.client_delay_us())
        world.timeline.at(self._up_arrival - now, self.life.input, handler, *arguments)

    def _later_down(self, handler, *arguments) -> None:  # type: ignore[no-untyped-def]
        world = self._world
        now = world.timeline.now
        self._down_arrival = max(self._down_arrival, now + world.client_delay_us())
        world.timeline.at(self._down_arrival - now, handler, *arguments)

    def _deliver(self, data: bytes) -> None:
        if self.is_open:
            self.client.receive(self, data)

    def _ended(self) -> None:
        if self.is_open:
            self.is_open = False
            self.client.disconnected(self)
