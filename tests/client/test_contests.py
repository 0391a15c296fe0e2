"""A few seeds of `tests.client.contests`: shared locks, upgrades and permits among mishaps."""

import pytest
from trio._core import _run

from tests.client.contests import Contest


@pytest.fixture(autouse=True)
def deterministic_scheduling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)


@pytest.mark.parametrize("seed", range(2))
async def test_those_that_are_to_be_alone_are_and_permits_are_counted(autojump_clock, fake, seed):
    report = await Contest(fake, seed, seconds=30).run()
    assert report.reads + report.writes + report.permits > 10
