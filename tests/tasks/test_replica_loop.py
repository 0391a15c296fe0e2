"""The rounds of a replica's loop, with a hub and a replica that do nothing by themselves."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from coord.tasks import replica_loop
from coord.tasks.replica_loop import READING_UP_MS, ReplicaLoop

TICK_MS = 25


class Clock:
    def __init__(self) -> None:
        self.now_ms = 10_000

    def __call__(self) -> int:
        return self.now_ms


class Replica:
    """Notes when it is ticked."""

    def __init__(self) -> None:
        self.ticks: list[tuple[int, bool]] = []
        self.now_ms = 0
        self.clients = SimpleNamespace(commands=[], pauses=SimpleNamespace(wide=()))
        self.applied = None
        self.is_gathering = False
        self.configuration = b""

    def wake(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def tick(self, *, was_away: bool) -> None:
        self.ticks.append((self.now_ms, was_away))

    def advance(self) -> None:
        pass


class Driven:
    """A loop whose rounds the test makes; `is_busy` says whether sockets have something."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.is_busy = False
        self.replica = Replica()
        hub: Any = SimpleNamespace(
            wait=lambda _linger_s: [(0, 0)] if self.is_busy else [],
            serve=lambda _ready: None,
            flush_all=lambda: None,
        )
        trees: Any = SimpleNamespace(keep=lambda *_arguments: False)
        self.loop = ReplicaLoop(hub, cast(Any, None), cast(Any, None), trees, TICK_MS)
        self.loop.replica = cast(Any, self.replica)

    def rounds(self, duration_ms: int) -> None:
        for _ in range(duration_ms // 5):
            self.clock.now_ms += 5
            self.loop.round(0.0)


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> Driven:
    clock = Clock()
    monkeypatch.setattr(replica_loop, "clock_ms", clock)
    driven = Driven(clock)
    driven.loop.round(0.0)
    driven.rounds(100)
    driven.replica.ticks.clear()
    return driven


def test_after_a_pause_what_waits_is_read_before_the_tick(driven: Driven) -> None:
    driven.is_busy = True
    driven.clock.now_ms += 1000
    driven.rounds(20)
    assert driven.replica.ticks == []
    driven.is_busy = False
    driven.rounds(5)
    assert [was_away for _at, was_away in driven.replica.ticks] == [True]


def test_clients_that_never_pause_do_not_hold_up_the_ticks_after_a_pause(driven: Driven) -> None:
    driven.is_busy = True
    driven.clock.now_ms += 1000
    back_ms = driven.clock.now_ms
    driven.rounds(1000)
    (first, was_away), *others = driven.replica.ticks
    assert was_away
    assert first <= back_ms + READING_UP_MS + 10
    assert len(others) >= (1000 - READING_UP_MS) // TICK_MS - 2
    assert not any(was_away for _at, was_away in others)


async def test_what_gathers_in_a_tick_is_sent_on_before_the_next_one(
    driven: Driven, autojump_clock: object
) -> None:
    """The task that waits for the sockets sleeps: this round took what would have woken it."""
    advances = []

    def advance() -> None:
        advances.append(driven.clock.now_ms)
        driven.replica.is_gathering = len(advances) < 4

    driven.replica.advance = advance  # type: ignore[method-assign]
    with trio.move_on_after(1.5 * TICK_MS / 1000):
        await driven.loop._keep_ticking()
    assert len(advances) == 4
