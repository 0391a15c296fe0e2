"""The flexible broadcast as a model: all its states are searched, and each known fault is found.

Here every other one in small sizes; `python -m tests.models` searches all, and larger ones.
"""

from pathlib import Path

import pytest

from tests.models.checker import ABSENT, Search, search
from tests.models.configurations import (
    BROKEN,
    CLEAN,
    REACHED,
    Broken,
    Configuration,
    counted,
)

BROADCAST = Path(__file__).with_name("broadcast.pml")

pytestmark = pytest.mark.skipif(bool(ABSENT), reason=ABSENT)


def searched(configuration: Configuration) -> Search:
    found = search(BROADCAST, configuration.macros)
    print(f"{configuration}: {found.states} states, {found.depth} deep")
    print(found.trace)
    return found


@pytest.mark.parametrize("configuration", CLEAN[::2], ids=str)
def test_no_run_breaks_an_invariant(configuration: Configuration) -> None:
    found = searched(configuration)
    assert found.broken is None
    assert found.is_complete
    assert found.states > 1000


@pytest.mark.parametrize("fault", BROKEN[::2], ids=lambda fault: fault.name)
def test_a_broken_variant_is_found(fault: Broken) -> None:
    found = searched(fault.configuration)
    assert found.broken == fault.breaks
    assert "leads epoch" in found.trace or fault.breaks == 1


@pytest.mark.parametrize("configuration", REACHED, ids=lambda configuration: configuration.goal)
def test_the_clean_model_comes_to_what_it_is_about(configuration: Configuration) -> None:
    assert searched(configuration).broken == 0


def test_no_read_is_stale_that_a_replication_quorum_cannot_miss() -> None:
    """One elects, so that a majority does not show who leads; but all three must replicate."""
    found = searched(Configuration(counted(1, 3, 2), epochs=2, variant=("READS_ONLY",)))
    assert found.broken is None
    assert found.is_complete
