"""A short run of `python -m tests.client.changes`, whose docstring says what it shows."""

import pytest
from trio._core import _run

from tests.client.changes import run_on_fake


@pytest.fixture(autouse=True)
def deterministic_scheduling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)


@pytest.mark.parametrize(("seed", "old"), [(1, False), (2, False), (3, True)])
async def test_under_random_changes_and_mishaps_all_end_on_the_last_state(
    autojump_clock, seed, old
):
    await run_on_fake(100, seed, old=old)
