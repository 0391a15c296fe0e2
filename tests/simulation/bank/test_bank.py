"""The bugs of the bank are found; `python -m tests.simulation.bank` tells where and how."""

import pytest

from tests.simulation.bank import disks, quorums, replicas
from tests.simulation.bank.hunt import BANK, Bug, hunt

SECONDS_MAX = 20.0
TAKE_LONGER = {
    quorums.reads_confirmed_by_a_majority,
    disks.current_epoch_before_the_history,
    disks.histories_compared_by_the_last_entry,
    replicas.an_expiry_ends_whatever_attachment_there_is,
    replicas.a_resumed_leader_expires_before_it_reads,
}
"""Those are hunted by the command only: they need a minute."""


@pytest.mark.parametrize(
    "bug", [bug for bug in BANK if bug not in TAKE_LONGER], ids=lambda bug: bug.__name__
)
def test_a_known_bug_is_found(bug: Bug) -> None:
    """AT-6: `election_quorum_one_short` (L) and `replication_quorum_one_short` (R)."""
    found = hunt(bug, range(500), SECONDS_MAX)
    print(found)
    assert found is not None
