"""A few storms; `python -m tests.client.storm` makes many."""

import pytest

from tests.client.storm import run


@pytest.mark.parametrize("seed", range(3))
def test_requests_come_through_a_storm(seed):
    run(seed)
