"""What happens to single requests of a client on their way, when a test wants it to."""

from collections.abc import Callable
from typing import Literal

import attrs
import trio

from coord.wire.numbers import OpCode

Kind = Literal["before", "drop reply", "drop request", "ignore", "refuse"]

UNASKED = frozenset(
    {
        OpCode.CREATE_SESSION,
        OpCode.CLOSE_SESSION,
        OpCode.PING,
        OpCode.SYNC,
        OpCode.AUTH,
        OpCode.SET_WATCHES,
        OpCode.SET_WATCHES2,
        OpCode.REMOVE_WATCHES,
    }
)
"""What a client sends by itself: a mishap meets it only when it names it."""


@attrs.define(eq=False)
class Mishap:
    """Something that will happen to one request."""

    kind: Kind
    """`before`: nothing but `then`. The connection breaks when a reply or a request is dropped, and
    stays when one is ignored."""
    dialer: object | None
    """To whose request; None: to anybody's."""
    opcode: OpCode | None
    """To the next one of this kind; None: to the next one of any that a user asks for."""
    error: int = 0
    """What `refuse` answers."""
    then: Callable[[], None] | None = None
    """Called when it happens: before a request is carried out (or lost), or after its reply is."""
    happened: trio.Event = attrs.field(factory=trio.Event)
    """Set when it has happened."""

    def meets(self, dialer: object, opcode: int) -> bool:
        """Whether it happens to this request."""
        if self.dialer is not None and self.dialer is not dialer:
            return False
        return opcode not in UNASKED if self.opcode is None else opcode == self.opcode

    def happen(self) -> None:
        """It has happened."""
        self.happened.set()
        if self.then is not None:
            self.then()


class Mishaps:
    """Those that will happen, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._waiting: list[Mishap] = []

    def add(self, mishap: Mishap) -> trio.Event:
        """Let one happen; the event is set when it has."""
        self._waiting.append(mishap)
        return mishap.happened

    def take(self, dialer: object, opcode: int) -> Mishap | None:
        """Return what happens to a request."""
        for mishap in self._waiting:
            if mishap.meets(dialer, opcode):
                self._waiting.remove(mishap)
                return mishap
        return None

    def forget(self) -> None:
        """Take back all that have not happened."""
        self._waiting.clear()
