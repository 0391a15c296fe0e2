"""A fixed number of seeds; `python -m tests.simulation --seeds A:B` runs more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.run import Run

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 9


@pytest.mark.parametrize("first", range(0, SEEDS, 3))
def test_seeds_keep_every_rule_and_end_with_everything_at_work(first: int) -> None:
    for seed in range(first, first + 3):
        print(f"seed {seed}")  # repeat with: python -m tests.simulation --seeds N:N+1
        run = Run.of(seed)
        run.to_the_end()
        assert run.world.answered >= 200


def traced(seeds: str, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seeds", seeds, "--trace"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = done.stdout.splitlines()
    return "\n".join(lines[:-1])  # the last one tells how long it took


def test_a_seed_has_one_trace_whatever_strings_hash_to() -> None:
    first, second = traced("3:5", "1"), traced("3:5", "2")
    assert len(first.splitlines()) > 2000
    assert first == second
