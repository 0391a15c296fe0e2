"""The bugs of the bank are found; `python -m tests.simulation.bank` tells where and how."""

import pytest

from tests.simulation.bank import disks, quorums, replicas
from tests.simulation.bank.hunt import BANK, Bug, hunt

SECONDS_MAX = 120.0
"""Of CPU; none takes more than a few."""
FIRST_SEED = {
    quorums.old_entries_committed_by_counting: 8,
    quorums.reads_confirmed_by_a_majority: 5,
    disks.current_epoch_before_the_history: 42,
    disks.damaged_entries_taken_for_missing: 55,
    disks.promises_tell_of_uncommitted_entries_only: 2,
    replicas.an_expiry_ends_whatever_attachment_there_is: 4,
    replicas.a_resumed_leader_expires_before_it_reads: 4,
    replicas.a_snapshot_installed_under_live_watches: 15,
}
"""Where the hunt begins for those that hide for long; the command begins at 0 for all."""


@pytest.mark.parametrize("bug", BANK, ids=lambda bug: bug.__name__)
def test_a_known_bug_is_found(bug: Bug) -> None:
    """AT-6: `election_quorum_one_short` (L) and `replication_quorum_one_short` (R)."""
    found = hunt(bug, range(FIRST_SEED.get(bug, 0), 500), SECONDS_MAX)
    print(found)
    assert found is not None
