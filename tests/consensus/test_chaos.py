"""A fixed number of seeds of the simulation; `python -m tests.consensus.cluster` runs more."""

import pytest

from tests.consensus.chaos import Run


@pytest.mark.parametrize("first", range(0, 30, 5))
def test_seeds_keep_every_rule_and_end_in_progress(first: int) -> None:
    for seed in range(first, first + 5):
        print(f"seed {seed}")  # repeat with: python -m tests.consensus.cluster --seeds N:N+1
        Run(seed).to_the_end()
