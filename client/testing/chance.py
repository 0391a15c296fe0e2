"""One seed in place of chance.

Three things are left to chance in a Trio program that uses `client`: which of the tasks that can
run runs first (Trio draws it), the order in which clients try servers and how long they pause (the
`random` module), and what happens in the ensemble itself. Here one seed decides all three.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from trio._core import _run as trio_run


@contextmanager
def decided_by(seed: int) -> Iterator[random.Random]:
    """Let a seed decide while a block runs; yields what the ensemble draws from.

    What `random` and Trio's scheduler would have drawn is put back at the end.
    """
    scheduler: random.Random = trio_run._r  # noqa: SLF001 - Trio has no public way to its dice
    states = random.getstate(), scheduler.getstate()
    was_determined = trio_run._ALLOW_DETERMINISTIC_SCHEDULING  # noqa: SLF001
    _let_trio_sort_tasks(wanted=True)
    random.seed(f"random {seed}")
    scheduler.seed(f"scheduler {seed}")
    try:
        yield random.Random(f"ensemble {seed}")
    finally:
        _let_trio_sort_tasks(wanted=was_determined)
        random.setstate(states[0])
        scheduler.setstate(states[1])


def _let_trio_sort_tasks(*, wanted: bool) -> None:
    """Without it, the order of tasks depends on their addresses in memory."""
    vars(trio_run)["_ALLOW_DETERMINISTIC_SCHEDULING"] = wanted
