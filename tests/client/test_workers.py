"""A few seeds of `tests.client.workers`: claims, counts and members among mishaps."""

import pytest
from trio._core import _run

from tests.client.workers import Works


@pytest.fixture(autouse=True)
def deterministic_scheduling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)


@pytest.mark.parametrize("seed", range(2))
async def test_every_entry_is_finished_once_and_no_two_claims_of_it_overlap(
    autojump_clock, fake, seed
):
    report = await Works(fake, seed, entries=4).run()
    assert report.entries == 8
    assert report.claims >= report.entries
