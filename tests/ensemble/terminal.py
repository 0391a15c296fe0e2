"""A terminal for a command: a pseudo-terminal that is typed at and read."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Self

from tests.ensemble.commands import ENVIRONMENT, ROOT

SECONDS = 60.0
CTRL_C, CTRL_Z, TAB = "\x03", "\x1a", "\t"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[=>78]|\x1b\][^\x07]*\x07|\r")


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A command with a terminal of its own, of 30 lines and 200 columns; a context that ends it."""

    def __init__(self, *command: str, home: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 200, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**ENVIRONMENT, "TERM": "xterm", "HOME": str(home), "XDG_STATE_HOME": str(home)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)
        self.screen = ""
        """All that was written and not looked at yet, less what moves the cursor and colours."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(SECONDS)
        os.close(self._ours)

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._ours, text.encode())

    def read_until(self, pattern: str) -> re.Match[str]:
        """Read until this is on the screen; what is before it was looked at then."""
        deadline = time.monotonic() + SECONDS
        while (found := re.search(pattern, self.screen)) is None:
            ready, _, _ = select.select([self._ours], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"{pattern!r} is not in {self.screen!r}")
            try:
                data = os.read(self._ours, 65536).decode(errors="replace")
            except OSError as error:  # the command has ended
                raise EOFError(f"{pattern!r} is not in {self.screen!r}") from error
            if "\x1b[6n" in data:
                self.type("\x1b[1;1R")  # where the cursor is
            self.screen += _ESCAPES.sub("", data)
        self.screen = self.screen[found.end() :]
        return found

    def end(self) -> int:
        """Wait for the end; the exit status."""
        with contextlib.suppress(EOFError):
            self.read_until("(?!)")
        return self.process.wait(SECONDS)


def coord_in_terminal(*arguments: str, home: Path) -> Terminal:
    """Run `coord ARGUMENTS` in a terminal."""
    return Terminal(sys.executable, "-m", "coord", *arguments, home=home)
