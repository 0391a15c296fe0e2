"""Figures of what a client does, for programs that have no library for them.

    counting = CountingInstrument()
    async with connect("host:2181", instruments=[counting]) as zk:
        await zk.exists("/jobs")
        print(counting.counts().requests["exists"].mean_seconds)

Names are in lower case, as in traces. Nothing is counted by path, so the figures stay few. What has
not come yet is not there: `counts.requests.get("exists", Timing())`.
"""

from collections import Counter
from collections.abc import Mapping

import attrs

from client.instruments import Call, Instrument, State
from coord.wire.numbers import EventType


@attrs.frozen
class Timing:
    """How often something took time, and how much in all.

    waits = Timing(count=4, seconds=2.0)
    assert waits.mean_seconds == 0.5
    """

    count: int = 0
    """How often."""
    seconds: float = 0.0
    """The sum of all times."""

    @property
    def mean_seconds(self) -> float:
        """The mean of all times; 0 while there is none."""
        return self.seconds / self.count if self.count else 0.0

    def plus(self, seconds: float) -> "Timing":
        """Return this and one more. For the client's own use."""
        return Timing(self.count + 1, self.seconds + seconds)


@attrs.frozen
class Counts:
    """What a client has done since its beginning; an object that does not change.

    counting = CountingInstrument()
    async with connect("host:2181", instruments=[counting]) as zk:
        await zk.get("/a")
    counts = counting.counts()
    print(counts.requests["get_data"].mean_seconds, counts.errors.get("get_data", 0))
    print(counts.given_up, counts.under_way, counts.events, counts.states)
    print(counts.lock_waits, counts.lock_holds, counts.lock_losses)
    """

    requests: Mapping[str, Timing]
    """By operation, as "get_data": requests that were answered, or lost with their connection, and
    the time from the call to that."""
    errors: Mapping[str, int]
    """By operation: how many of these met an error, or were lost."""
    given_up: int
    """Requests that were cancelled before their outcome was known, or could not be sent; these are
    in no other figure."""
    under_way: int
    """Requests that wait for their outcome now, or for a connection."""
    events: Mapping[str, int]
    """By kind, as "node_created": changes that servers told of to watches."""
    states: Mapping[str, int]
    """By state, as "connected": how often the client came to it."""
    lock_waits: Timing
    """Whatever can be held: how often it was got, and how long that took."""
    lock_holds: Timing
    """How often it was given back, and for how long it was held."""
    lock_losses: int
    """How often it was lost."""


class CountingInstrument(Instrument):
    """Counts; costs little, and holds no more than one figure for each kind of thing.

    counting = CountingInstrument()
    async with connect("host:2181", instruments=[counting]) as zk:
        async with zk.lock("/locks/nightly"):
            print(counting.counts().lock_waits.mean_seconds)
    """

    def __init__(self) -> None:
        self._requests: dict[str, Timing] = {}
        self._errors: Counter[str] = Counter()
        self._given_up = 0
        self._under_way = 0
        self._events: Counter[str] = Counter()
        self._states: Counter[str] = Counter()
        self._lock_waits = Timing()
        self._lock_holds = Timing()
        self._lock_losses = 0

    def counts(self) -> Counts:
        """Return the figures as they are now; also from another thread.

        counting = CountingInstrument()
        async with connect("host:2181", instruments=[counting]) as zk:
            await zk.get("/a")
        print(json.dumps(attrs.asdict(counting.counts())))
        """
        return Counts(
            requests=self._requests.copy(),
            errors=dict(self._errors),
            given_up=self._given_up,
            under_way=self._under_way,
            events=dict(self._events),
            states=dict(self._states),
            lock_waits=self._lock_waits,
            lock_holds=self._lock_holds,
            lock_losses=self._lock_losses,
        )

    def request(self, call: Call) -> None:  # noqa: ARG002, D102
        self._under_way += 1

    def reply(self, call: Call, error: int | None, seconds: float) -> None:  # noqa: D102
        self._under_way -= 1
        if error is None:
            self._given_up += 1
            return
        operation = call.opcode.name.lower()
        self._requests[operation] = self._requests.get(operation, Timing()).plus(seconds)
        if error:
            self._errors[operation] += 1

    def watch(self, kind: EventType, path: str) -> None:  # noqa: ARG002, D102
        self._events[kind.name.lower()] += 1

    def state(self, state: State) -> None:  # noqa: D102
        self._states[state.name.lower()] += 1

    def lock_waited(self, path: str, token: int, seconds: float) -> None:  # noqa: ARG002, D102
        self._lock_waits = self._lock_waits.plus(seconds)

    def lock_held(self, path: str, token: int, seconds: float) -> None:  # noqa: ARG002, D102
        self._lock_holds = self._lock_holds.plus(seconds)

    def lock_lost(self, path: str, token: int, reason: str) -> None:  # noqa: ARG002, D102
        self._lock_losses += 1
