"""Twenty clients and one lock, while one of their processes and the leader come to harm.

Two rounds here; `python -m tests.ensemble.exclusion` makes as many as one likes.
"""

import random
from pathlib import Path

import attrs
import pytest

from tests.ensemble.exclusion import Contest, Overlap, verify
from tests.ensemble.holders import Body
from tests.ensemble.servers import CoordEnsemble

TIMEOUT_S = 3.0

FIRST = Body("1.0", "/a", token=1, start=0.0, end=1.0, stood_still=0.0, was_lost=False)
SECOND = Body("2.0", "/b", token=2, start=2.0, end=3.0, stood_still=0.0, was_lost=False)


def test_twenty_clients_exclude_each_other_over_a_stop_of_theirs_and_a_kill(
    tmp_path: Path,
) -> None:
    with (
        CoordEnsemble(tmp_path / "servers", tick_ms=1000) as ensemble,
        Contest(ensemble, tmp_path, workers=2, timeout_s=TIMEOUT_S) as contest,
    ):
        contest.stop_holder()
        contest.befall("kill", random.Random(1))
        bodies = contest.bodies
    told = verify(bodies, contest.observer.deleted, TIMEOUT_S)
    assert len({body.holder for body in bodies}) > 2
    assert ", 0 seen" not in told
    assert any(body.guard_refused and body.fence_refused for body in bodies)


@pytest.mark.parametrize(
    ("bodies", "deleted", "found"),
    [
        ([FIRST, attrs.evolve(SECOND, start=0.9)], {}, "0.100 s together"),
        ([FIRST, SECOND], {"/a": 0.75}, "0.250 s after its znode"),
        ([attrs.evolve(FIRST, stood_still=9.0), SECOND], {}, "was not refused"),
        ([attrs.evolve(FIRST, token=3), SECOND], {}, "do not grow"),
    ],
)
def test_what_must_not_happen_is_found(
    bodies: list[Body], deleted: dict[str, float], found: str
) -> None:
    with pytest.raises(Overlap, match=found):
        verify(bodies, deleted, TIMEOUT_S)


def test_what_may_happen_is_counted() -> None:
    stopped = attrs.evolve(
        FIRST, stood_still=9.0, was_lost=True, guard_refused=True, fence_refused=True
    )
    told = verify([stopped, SECOND], {"/a": 1.5, "/b": 3.5}, TIMEOUT_S)
    assert told.startswith("2 bodies, 1 lost, 2 seen to end before their znode, 1 stopped")
