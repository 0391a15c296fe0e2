"""The command of a test that is run in rounds, each from a seed, on a clock that jumps."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol, Self, TypeVar

import trio
import trio.testing
from trio._core import _run


class Total(Protocol):
    """What happened in the rounds."""

    def add(self, other: Self) -> None:
        """Add what happened in one more."""


Report = TypeVar("Report", bound=Total)


def main(doc: str | None, run: Callable[[int], Awaitable[Report]], total: Report) -> int:
    """Run as many rounds as the command line says; print the total."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[attr-defined]
    for seed in range(options.seed, options.seed + options.rounds):
        print(f"seed {seed}", end="\r", file=sys.stderr)
        clock = trio.testing.MockClock(autojump_threshold=0)
        try:
            total.add(trio.run(run, seed, clock=clock))
        except BaseException:
            print(f"seed {seed} failed")
            raise
    print(f"{options.rounds} rounds from seed {options.seed}: {total}")
    return 0
