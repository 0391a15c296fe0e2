"""The guardian of a held command: a process that ends it in time whatever becomes of the holder.

It is a process of its own so that the promise of `coord lock` stands even where `coord lock` itself
is stopped, hangs, or is killed: then no new deadline comes, or the pipe closes. It imports the
standard library only and starts in a few milliseconds (`python -I -S guardian.py SECONDS`).

On standard input it reads lines: first the process group, then deadlines, in seconds of the clock
below, each of which replaces the one before; `end` and a deadline when the holder wants the group
to end; `done` when it has. The rules:

1. SIGTERM goes to the group SECONDS before the deadline, SIGKILL `KILL_SHARE` of that before it:
   nothing of the group runs at the deadline.
2. Once SIGTERM was sent nothing takes it back; a deadline that comes later can only be nearer.
3. The end of its input, without `done`, is a deadline that has passed.

Its exit status is 1 when it had to end the group without being asked to, else 0.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

KILL_SHARE: Final = 0.2
"""Share of the grace that is left at SIGKILL, for the kernel to carry it out."""

LOOK_S: Final = 1.0
"""How often to look at the clock, in seconds: it runs on while the machine sleeps."""


def clock() -> float:
    """Return the seconds since boot, by the clock of the client's own deadlines."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Guardian:
    """What it knows: whom it ends, and when."""

    def __init__(self, grace_s: float, send: Callable[[int, int], None] = os.killpg) -> None:
        self.grace_s = grace_s
        """Seconds between SIGTERM and the deadline."""
        self._send = send
        self.group = 0
        """The process group; 0 before it was told."""
        self.deadline = float("inf")
        """When nothing of the group may run any longer."""
        self.has_asked = False
        """Whether SIGTERM was sent."""
        self.was_told = False
        """Whether the holder wanted that."""
        self.is_over = False
        """Whether there is nothing more to do."""

    def read(self, line: bytes) -> None:
        """Take what the holder says."""
        if line == b"done":
            self.is_over = True
        elif not self.group:
            self.group = int(line)
        else:
            word, _space, number = line.rpartition(b" ")
            self.was_told |= word == b"end" and not self.has_asked
            deadline = float(number)
            self.deadline = min(self.deadline, deadline) if self.has_asked else deadline

    def act(self, now: float) -> float:
        """Do what is due; return the seconds until the next thing is."""
        kill_at = self.deadline - self.grace_s * KILL_SHARE
        if now >= kill_at:
            self.kill()
        elif now >= self.deadline - self.grace_s:
            self._ask()
        return max(0.0, (kill_at if self.has_asked else self.deadline - self.grace_s) - now)

    def kill(self) -> None:
        """End the group at once."""
        self.has_asked = self.is_over = True
        self._signal(signal.SIGKILL)

    def _ask(self) -> None:
        if not self.has_asked:
            self.has_asked = True
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)  # what stands still cannot end

    def _signal(self, number: int) -> None:
        if self.group:
            with suppress(ProcessLookupError, PermissionError):
                self._send(self.group, number)


def main() -> None:
    """Watch over one group until it has ended or had to be ended."""
    guardian = Guardian(float(sys.argv[1]))
    rest = b""
    while not guardian.is_over:
        wait_s = guardian.act(clock())
        if guardian.is_over or not select.select([0], [], [], min(wait_s, LOOK_S))[0]:
            continue
        piece = os.read(0, 4096)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            guardian.read(line)
        if not piece and not guardian.is_over:
            guardian.kill()
    sys.exit(1 if guardian.has_asked and not guardian.was_told else 0)


if __name__ == "__main__":
    main()
