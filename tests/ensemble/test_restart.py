"""A restart with many znodes serves soon, in little memory.

A part of what `python -m tests.ensemble.restart` shows with a million.
"""

from pathlib import Path

from tests.ensemble.bulk import write_znodes
from tests.ensemble.restart import restart
from tests.ensemble.servers import CoordEnsemble

ZNODES = 40_000
FIRST_READ_S_MAX = 6.0
"""On a busy machine; most of it is Python's own start."""
ANONYMOUS_MB_MAX = 100


def test_a_restart_serves_without_reading_the_tree(tmp_path: Path) -> None:
    with CoordEnsemble(tmp_path, 1, tick_ms=2000) as ensemble:
        write_znodes(ensemble, 1, ZNODES)
        result = restart(ensemble, ZNODES, reading_s=1.0)
    assert result.first_read_s < FIRST_READ_S_MAX
    assert max(result.fresh_mb, result.used_mb) < ANONYMOUS_MB_MAX
