"""What a series of runs has met, in numbers; and how a failed seed is shown."""

import traceback
from collections import Counter

from tests.simulation.network import NAMES
from tests.simulation.run import Run

TRACE_LINES = 60
LINE_LENGTH = 220

FAULTS = (
    "loss",
    "duplicate",
    "straggler",
    "clog",
    "partition",
    "one-way partition",
    "swallowed by a partition",
    "broken link",
    "mutiny",
    "crash",
    "crash between effects",
    "restart",
    "a write was done, untold",
    "unsynced data lost",
    "torn write",
    "bit rot",
    "misdirected write",
    "pause",
    "slow disk",
    "full disk",
    "wiped disk",
    "clock jump",
    "resignation",
    "client cut",
    "client death",
)
OTHERS = (
    "role leader",
    "role established",
    "snapshot sent",
    "snapshot installed",
    "session resumed",
    "session expired",
    "session closed",
    "expiry refused",
    "write seen again",
    "write refused under an old attachment",
    "request lost",
    "event",
    "reap",
    "tree distrusted",
    "found DamagedEntry",
    "log begun anew at the tree",
    "log shown up to damage",
    "found DamagedTree",
    "found DiskFull",
)
PREMISES = tuple(range(1, 15)) + tuple(n for n in range(20, 33) if n != 30)
EXPECTED = (
    *(f"fault {name}" for name in FAULTS),
    *sorted(NAMES.values()),
    *OTHERS,
    *(f"premise {number:02}" for number in PREMISES),
)
"""What a long series must have met."""


def table(counts: Counter[str]) -> list[str]:
    """All counts, by name, in columns."""
    names = sorted({*counts, *EXPECTED})
    cells = [f"{name:<40}{counts[name]:>12}" for name in names]
    half = (len(cells) + 1) // 2
    rest = [*cells[half:], ""]
    return [f"{left}    {right}".rstrip() for left, right in zip(cells, rest, strict=False)]


def failure_lines(seed: int, error: Exception) -> list[str]:
    """What broke, and the last steps before; the seed is run again to trace them."""
    run = Run.of(seed, is_traced=True)
    try:
        run.to_the_end()
    except Exception as again:  # noqa: BLE001 - it is the same one
        error = again
    where = traceback.extract_tb(error.__traceback__)[-3:]
    return [
        *(line[:LINE_LENGTH] for line in run.world.lines[-TRACE_LINES:]),
        *(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in where),
        f"  {type(error).__name__}: {error}",
    ]
