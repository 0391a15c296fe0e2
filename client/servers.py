"""The servers of an ensemble: which to try, and when to try again.

Names are resolved at each attempt. A server that does not answer soon is not waited for: the next
one is tried beside it, and the first connection that stands is taken.
"""

import logging
import random
import ssl
from collections.abc import Iterator

import attrs
import trio

from client.tls import OpenStream

STAGGER_SECONDS = 0.25
"""How long one server has before the next one is tried as well, as RFC 8305 has it."""

PAUSE_SECONDS = (0.05, 1.0)
"""After a round in which no server would have us: the first pause, and the longest."""

_log = logging.getLogger(__name__)


class Unreachable(OSError):  # noqa: N818  (named after what happened)
    """None of the servers can be reached; says why, for each."""


@attrs.define
class _Race:
    """Attempts beside each other, of which one will do."""

    stream: trio.abc.Stream | None = None
    """The first connection that stands."""
    reasons: list[str] = attrs.field(factory=list)
    """Why others failed."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """Ends the attempts."""


class Servers:
    """The addresses of the servers, in the order in which they are tried."""

    def __init__(self, addresses: tuple[tuple[str, int], ...], open_stream: OpenStream) -> None:
        self._open_stream = open_stream
        self._order = list(addresses)
        random.shuffle(self._order)  # so that the clients of an ensemble spread over it
        self._tries = 0
        """Attempts of this round that have failed."""
        self._rounds = 0
        """Rounds in which all have failed, since a connection that lasted."""
        self._told: set[str] = set()

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter(self._order.copy())

    async def reach(self) -> trio.abc.Stream:
        """Return a connection to one of them, which is the first one in the order from then on.

        Raise Unreachable when none can be reached.
        """
        race = _Race()
        try:
            async with trio.open_nursery() as nursery:
                race.scope = nursery.cancel_scope
                for address in self:
                    over = trio.Event()
                    nursery.start_soon(self._try, address, race, over)
                    with trio.move_on_after(STAGGER_SECONDS):
                        await over.wait()
        except BaseException:
            if race.stream is not None:
                await trio.aclose_forcefully(race.stream)
            raise
        if race.stream is None:
            raise Unreachable("; ".join(race.reasons))
        return race.stream

    async def _try(self, address: tuple[str, int], race: "_Race", over: trio.Event) -> None:
        try:
            stream = await self._open_stream(*address)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            race.reasons.append(self._reason(*address, error))
            over.set()
            return
        if race.stream is not None:  # another one stands since a moment ago
            await trio.aclose_forcefully(stream)
            return
        race.stream = stream
        self._order.remove(address)
        self._order.insert(0, address)
        race.scope.cancel()

    def turn(self) -> None:
        """Let the first one be the last."""
        self._order.append(self._order.pop(0))

    def failed(self, why: str, *, all_failed: bool = False) -> bool:
        """Take note of a failure, of the first one or of all; return whether a round is over."""
        _log.debug("%s", why)
        self.turn()
        self._tries = len(self) if all_failed else self._tries + 1
        if self._tries < len(self):
            return False
        self._tries = 0
        self._rounds += 1
        return True

    def worked(self) -> None:
        """Take note of a connection that lasted."""
        self._tries = self._rounds = 0

    async def pause(self) -> None:
        """Wait for a while, longer after each round of failures."""
        first, longest = PAUSE_SECONDS
        pause = min(longest, first * 2 ** min(max(self._rounds - 1, 0), 10))
        await trio.sleep(pause * random.uniform(0.5, 1))

    def _reason(self, host: str, port: int, error: Exception) -> str:
        """Say why a server cannot be reached; say it loudly where trying again will not do."""
        cause = error.__cause__ or error
        text = f"{host}:{port}: {str(cause) or type(cause).__name__}"
        if isinstance(cause, ssl.SSLError) and text not in self._told:
            self._told.add(text)
            _log.warning("%s", text)
        return text
