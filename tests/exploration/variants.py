"""Known bugs, to show that the search finds them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from coord.consensus import checks
from tests.consensus.test_broken_variants import (
    ack_before_the_sync,
    current_epoch_before_the_history,
    election_quorum_one_short,
    old_entries_committed_by_counting,
    promise_not_persisted,
    replication_quorum_one_short,
    trust_senders_and_disks,
)


def reads_confirmed_by_the_leader_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checks, "read_confirmation_reaches", lambda _, answered: max(answered.values()))


VARIANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    variant.__name__: variant
    for variant in (
        ack_before_the_sync,
        current_epoch_before_the_history,
        election_quorum_one_short,
        old_entries_committed_by_counting,
        promise_not_persisted,
        reads_confirmed_by_the_leader_alone,
        replication_quorum_one_short,
    )
}


@contextmanager
def with_variant(name: str) -> Iterator[None]:
    """Put a bug in, and leave it to the outcome: what is said is not compared with the disk."""
    with pytest.MonkeyPatch.context() as patch:
        VARIANTS[name](patch)
        trust_senders_and_disks(patch)
        yield
