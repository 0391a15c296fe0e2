"""What a client tells of its work, for logs, traces and measurements.

    class Slow(Instrument):
        def reply(self, call: Call, error: int | None, seconds: float) -> None:
            if seconds > 1:
                print(f"{call.opcode.name} {call.path} took {seconds:.1f} s")

    async with connect("host:2181", instruments=[Slow()]) as zk: ...

The methods are called in the middle of the work, so they must be quick and cannot wait. One that
raises is logged, and its instrument is not called again. Without instruments nothing is paid for.
"""

import enum
import logging
from collections.abc import Iterable

import attrs

from coord.wire.numbers import EventType, OpCode

_log = logging.getLogger(__name__)


class State(enum.Enum):
    """How a client stands to the servers.

    if zk.state is State.CONNECTED:
        await zk.sync()
    """

    CONNECTED = "connected"
    """There is a connection, and a session on it."""
    READ_ONLY = "read only"
    """There is a connection to a server that has lost its ensemble: it answers reads, and what it
    tells may be old. The session, if there was one, is not on it, and may end meanwhile."""
    AWAY = "away"
    """There is no connection; the session may live on."""
    EXPIRED = "expired"
    """There is no connection, and the session has ended: a new one comes with the next."""
    CLOSED = "closed"
    """The client takes no more requests."""


@attrs.frozen(eq=False)
class Call:
    """One request, from when it was made until its outcome was known.

    class Counting(Instrument):
        def request(self, call: Call) -> None:
            print(call.number, call.opcode.name, call.path)
    """

    number: int
    """Counts the requests of a client from 1, over all connections."""
    opcode: OpCode
    """What was asked for."""
    path: str
    """The znode it is about, as the servers call it; "" where there is none, or several."""


class Instrument:
    """Hears of what a client does; every method does nothing until a subclass says what.

    class Slow(Instrument):
        def reply(self, call: Call, error: int | None, seconds: float) -> None:
            if seconds > 1:
                print(f"{call.opcode.name} {call.path} took {seconds:.1f} s")

    async with connect("host:2181", instruments=[Slow()]) as zk:
        ...
    """

    def request(self, call: Call) -> None:
        """Hear of a request: in the task that makes it, before it is sent.

        def request(self, call: Call) -> None:
            self.span[call] = tracer.start(call.opcode.name)
        """

    def reply(self, call: Call, error: int | None, seconds: float) -> None:
        """Hear of its outcome: 0, the code of an error, or None when nobody waits for it any more.

        ConnectionLoss.code: the connection broke before the reply came. `seconds` from request on.
        """

    def watch(self, kind: EventType, path: str) -> None:
        """Hear of a change that a server tells of, of a znode as the servers call it.

        def watch(self, kind: EventType, path: str) -> None:
            events.count(kind.name)
        """

    def state(self, state: State) -> None:
        """Hear that the client stands otherwise to the servers than before.

        def state(self, state: State) -> None:
            connected.set(state is State.CONNECTED)
        """

    def lock_waited(self, path: str, token: int, seconds: float) -> None:
        """Hear that a lock, or whatever else is held, was got after so long; path as asked for.

        def lock_waited(self, path: str, token: int, seconds: float) -> None:
            waits.record(seconds, path)
        """

    def lock_held(self, path: str, token: int, seconds: float) -> None:
        """Hear that it is given back after so long.

        def lock_held(self, path: str, token: int, seconds: float) -> None:
            holds.record(seconds, path)
        """

    def lock_lost(self, path: str, token: int, reason: str) -> None:
        """Hear that it could not be proved any longer, or was taken away.

        def lock_lost(self, path: str, token: int, reason: str) -> None:
            alert(f"{path} (token {token}): {reason}")
        """


class Instruments(Instrument):
    """All instruments of one client, as one."""

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self._instruments = list(instruments)

    def __bool__(self) -> bool:
        return bool(self._instruments)

    def request(self, call: Call) -> None:  # noqa: D102
        self._tell("request", call)

    def reply(self, call: Call, error: int | None, seconds: float) -> None:  # noqa: D102
        self._tell("reply", call, error, seconds)

    def watch(self, kind: EventType, path: str) -> None:  # noqa: D102
        self._tell("watch", kind, path)

    def state(self, state: State) -> None:  # noqa: D102
        self._tell("state", state)

    def lock_waited(self, path: str, token: int, seconds: float) -> None:  # noqa: D102
        self._tell("lock_waited", path, token, seconds)

    def lock_held(self, path: str, token: int, seconds: float) -> None:  # noqa: D102
        self._tell("lock_held", path, token, seconds)

    def lock_lost(self, path: str, token: int, reason: str) -> None:  # noqa: D102
        self._tell("lock_lost", path, token, reason)

    def _tell(self, method: str, *arguments: object) -> None:
        for each in self._instruments.copy():
            try:
                getattr(each, method)(*arguments)
            except Exception:  # noqa: BLE001  (whatever it is, the client goes on)
                _log.exception("%r fails, and is not called any more", each)
                self._instruments.remove(each)


class LogInstrument(Instrument):
    """Writes to a logger: requests and events at DEBUG, states and locks at INFO, losses above.

    log = LogInstrument(logging.getLogger("app.zk"))
    async with connect("host:2181", instruments=[log]) as zk:
        ...
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger if logger is not None else logging.getLogger("client")

    def request(self, call: Call) -> None:  # noqa: D102
        self._log.debug("#%d %s %s", call.number, call.opcode.name, call.path)

    def reply(self, call: Call, error: int | None, seconds: float) -> None:  # noqa: D102
        outcome = "given up" if error is None else f"error {error}" if error else "done"
        self._log.debug("#%d %s after %.1f ms", call.number, outcome, seconds * 1000)

    def watch(self, kind: EventType, path: str) -> None:  # noqa: D102
        self._log.debug("%s %s", kind.name, path)

    def state(self, state: State) -> None:  # noqa: D102
        level = logging.WARNING if state is State.EXPIRED else logging.INFO
        self._log.log(level, "%s", state.value)

    def lock_waited(self, path: str, token: int, seconds: float) -> None:  # noqa: D102
        self._log.info("%s is held (token %d) after %.3f s", path, token, seconds)

    def lock_held(self, path: str, token: int, seconds: float) -> None:  # noqa: D102
        self._log.info("%s is given back (token %d) after %.3f s", path, token, seconds)

    def lock_lost(self, path: str, token: int, reason: str) -> None:  # noqa: D102
        self._log.warning("%s is lost (token %d): %s", path, token, reason)
