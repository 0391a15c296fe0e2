"""Eight clients write and three watch while replicas are killed with SIGKILL."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from tests.ensemble import storm
from tests.ensemble.kills import Kill, Storm, everybody, follower, leader
from tests.ensemble.servers import CoordEnsemble

GAP_S_MAX = 2.0
"""Of the better of two kills: the machine itself may stand still in one. On an idle machine it is
0.03 s, as `python -m tests.ensemble.kills` shows with the median of many."""


@attrs.frozen
class Aftermath:
    """What is left when the kills are over."""

    past: Storm
    """The clients, which have ended."""
    tree: Sequence[storm.Node]
    """What every replica holds."""
    leaders: Sequence[Kill]
    """The kills of who led."""


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """A follower, the leader twice, then everybody at once."""
    folder: Path = tmp_path_factory.mktemp("kills")
    with CoordEnsemble(folder, tick_ms=2000) as ensemble, Storm(ensemble) as blowing:
        blowing.kill(follower(ensemble))
        leaders = [blowing.kill(leader(ensemble)) for _ in range(2)]
        blowing.kill(everybody(ensemble))
        yield Aftermath(blowing, blowing.final_tree(), leaders)


def test_acknowledged_writes_are_there_once_and_unknown_ones_at_most_once(
    aftermath: Aftermath,
) -> None:
    storm.verify_writes(aftermath.tree, aftermath.past.writers)


def test_every_watcher_saw_each_change_or_a_lost_connection(aftermath: Aftermath) -> None:
    for watcher in aftermath.past.watchers:
        storm.verify_watch(aftermath.tree, watcher)


def test_connections_to_living_replicas_are_kept(aftermath: Aftermath) -> None:
    assert [kill.needlessly_lost for kill in aftermath.past.kills[:3]] == [0, 0, 0]


def test_writes_go_on_soon_after_the_leader_was_killed(aftermath: Aftermath) -> None:
    assert min(kill.gap_s for kill in aftermath.leaders) < GAP_S_MAX


def test_the_first_write_of_a_new_connection_is_executed_though_its_xid_is_1_again(
    aftermath: Aftermath,
) -> None:
    writers = aftermath.past.writers
    assert all(writer.first_after_loss > 0 for writer in writers if writer.losses)
    assert sum(len(writer.losses) for writer in writers) >= len(writers)
