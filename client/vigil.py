"""Watching over what rests on a session: lost when nothing proves that the session still lives."""

import math

import trio

from client.deadline import Clock
from client.session import Hold, Session

WATCH_SECONDS = 1.0
"""How often to look at the clock while something is held: it may have run on in a sleep."""


class Vigil:
    """Cancels what cannot be proved any longer. One session at a time has anything to lose."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._session: Session | None = None
        self._news = trio.Event()

    def hold(self, hold: Hold, session: Session) -> None:
        """Watch over something that ends with a session."""
        if session.ended is not None:
            hold.lose(session.ended)
            return
        session.holds.add(hold)
        self._session = session
        self._news.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._news = trio.Event()
            with trio.move_on_after(self._look()):
                await self._news.wait()  # of a hold that may be due before all others

    def _look(self) -> float:
        """Lose what is overdue; return after how many seconds to look again."""
        session = self._session
        if session is None or not session.holds:
            return math.inf
        now = self._clock()
        left = {each: session.proofs.deadline(each.prove) - now for each in session.holds}
        overdue = {each for each, seconds in left.items() if seconds <= 0}
        session.lose_holds("no server proved in time that the session lives", overdue)
        return min([WATCH_SECONDS, *(seconds for seconds in left.values() if seconds > 0)])
