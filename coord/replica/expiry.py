"""Which sessions are overdue: kept by the leader, from the reports of all replicas.

T is a session's timeout, L half a tick.

1. A session with a home (the replica that reported it last) is overdue when a report of that home,
   sent T or more after the report that showed it last, shows it no more. Both times are the home's
   own clock, so no two clocks are compared.
2. When the home has been silent for T + L, its sessions are overdue.
3. A new leader knows no homes: a session that nobody reports is overdue T + 2L after it began.
4. A leader that was away (paused) lets all silences begin anew: what came meanwhile is unread.
"""

import heapq
from collections.abc import Iterable, Iterator

import attrs


@attrs.define
class _Watched:
    timeout_ms: int
    """Negotiated timeout T."""
    home: int
    """Replica that reported it last; 0: none yet."""
    touched_ms: int
    """The home's clock in the report that showed it last; -1: no report since it attached."""
    heard_ms: int
    """This leader's clock at that moment."""


@attrs.define
class _Home:
    sent_ms: int
    """The replica's clock in its newest report."""
    received_ms: int
    """This leader's clock when that report came."""


class Expiry:
    """One leader's term of watching sessions."""

    def __init__(self, now_ms: int, lease_ms: int) -> None:
        """Begin at `now_ms`; `attached` then names all sessions that exist, with no home."""
        self._lease_ms = lease_ms
        self._away_until_ms = now_ms
        self._homes: dict[int, _Home] = {}
        self._sessions: dict[int, _Watched] = {}
        self._due: list[tuple[int, int]] = []

    def attached(self, session: int, timeout_ms: int, home: int, now_ms: int) -> None:
        """A session was opened or resumed, at `home`; 0: its first report will tell."""
        known = session in self._sessions
        self._sessions[session] = _Watched(timeout_ms, home, -1, now_ms)
        if not known:
            heapq.heappush(self._due, (now_ms + timeout_ms, session))

    def __contains__(self, session: int) -> bool:
        return session in self._sessions

    def __len__(self) -> int:
        return len(self._sessions)

    def ended(self, session: int) -> None:
        """A session was closed or expired."""
        self._sessions.pop(session, None)

    def reported(self, home: int, sent_ms: int, sessions: Iterable[int], now_ms: int) -> None:
        """A report of `home`, sent at its `sent_ms`, shows these sessions."""
        self._homes[home] = _Home(sent_ms, now_ms)
        for session in sessions:
            watched = self._sessions.get(session)
            if watched is not None:
                watched.home = home
                watched.touched_ms = sent_ms
                watched.heard_ms = now_ms

    def restarted(self, home: int) -> None:
        """A link is new, so a clock may be, too: only silence counts until it reports.

        Up to its last report it may have heard its sessions, and answered them, without a word of
        that to us.
        """
        known = self._homes.pop(home, None)
        for watched in self._sessions.values():
            if watched.home == home:
                watched.touched_ms = -1
                if known is not None:
                    watched.heard_ms = max(watched.heard_ms, known.received_ms)

    def was_away(self, now_ms: int) -> None:
        """This leader did not run for a while (rule 4)."""
        self._away_until_ms = now_ms
        for home in self._homes.values():
            home.received_ms = now_ms

    def overdue(self, now_ms: int) -> Iterator[int]:
        """The sessions to expire now, each given once a timeout at most."""
        while self._due and self._due[0][0] <= now_ms:
            session = heapq.heappop(self._due)[1]
            watched = self._sessions.get(session)
            if watched is None:
                continue
            deadline_ms = self._deadline(watched, now_ms)
            if deadline_ms <= now_ms:
                yield session
                # It may be refused at apply (a newer attachment), so it stays watched.
                deadline_ms = now_ms + watched.timeout_ms
            heapq.heappush(self._due, (max(deadline_ms, now_ms + 1), session))

    def _deadline(self, watched: _Watched, now_ms: int) -> int:
        """The earliest time, by this leader's clock, at which the session may be overdue."""
        timeout_ms = watched.timeout_ms
        home = self._homes.get(watched.home)
        if home is None:
            silent_since_ms = max(watched.heard_ms, self._away_until_ms)
            return silent_since_ms + timeout_ms + 2 * self._lease_ms
        if watched.touched_ms < 0:
            if home.received_ms <= watched.heard_ms:
                silent_since_ms = max(watched.heard_ms, self._away_until_ms)
                return silent_since_ms + timeout_ms + 2 * self._lease_ms
            # The first report since it attached fixes the home's clock.
            watched.touched_ms = home.sent_ms
            return now_ms + timeout_ms
        if home.sent_ms - watched.touched_ms >= timeout_ms:
            return now_ms
        silent_ms = home.received_ms + timeout_ms + self._lease_ms
        return min(silent_ms, now_ms + timeout_ms - (home.sent_ms - watched.touched_ms))
