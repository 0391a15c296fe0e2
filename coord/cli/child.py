"""A command that another command runs: a process group of its own, its signals, the terminal.

The child has its own process group, so that a signal reaches all it has started, and, where this
command was started from a terminal, the terminal: then Ctrl-C reaches the child, and only it, and
it may read what is typed. Ctrl-Z stops the child, and then this command, as the shell expects.
"""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Final, Self

import trio

FORWARDED: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
"""Signals to this process that are meant for the child."""

NOT_FOUND: Final = 127
"""Exit status for a command that does not exist, as a shell's."""

NOT_EXECUTABLE: Final = 126
"""Exit status for a command that cannot be started, as a shell's."""


def taken_signals() -> list[signal.Signals]:
    """Return what is to be forwarded, less what whoever started us wants ignored, as `nohup`."""
    return [each for each in FORWARDED if signal.getsignal(each) != signal.SIG_IGN]


def refuse_missing(command: Sequence[str]) -> None:
    """End this process, before anything is asked of servers, when there is no such program."""
    if shutil.which(command[0]) is None:
        number = errno.EACCES if os.path.exists(command[0]) else errno.ENOENT
        sys.exit(start_failure(command, OSError(number, os.strerror(number))))


class Terminal:
    """The terminal that this process was started from, while the child has it."""

    def __init__(self) -> None:
        self._fd = -1
        with suppress(OSError):
            self._fd = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)

    @property
    def foreground(self) -> int:
        """The process group in the foreground there; 0 when there is no terminal."""
        with suppress(OSError):
            return os.tcgetpgrp(self._fd) if self._fd >= 0 else 0
        return 0

    @property
    def is_ours(self) -> bool:
        """Whether this process is in the foreground there."""
        return self.foreground == os.getpgrp()

    def give(self, group: int) -> None:
        """Put a process group into the foreground."""
        # Whoever does this from the background would be stopped by SIGTTOU.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with suppress(OSError):
            os.tcsetpgrp(self._fd, group)
        signal.signal(signal.SIGTTOU, before)

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Child:
    """A command that runs; a context that gives the terminal back at its end."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        stdin: IO[bytes] | None = None,
    ) -> None:
        """Start it. Raises OSError when it cannot be started.

        `environment` is added to this process's own. `stdin` replaces its standard input; such a
        child does not get the terminal.
        """
        self._terminal = Terminal()
        self._may_read = stdin is None
        self._has_terminal = self._may_read and self._terminal.is_ours
        try:
            self._process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdin=stdin, process_group=0
            )
        except OSError:
            self._terminal.close()
            raise
        self.group: int = self._process.pid
        """Its process group."""
        if self._has_terminal:
            self._terminal.give(self.group)
            self.signal(signal.SIGCONT)  # it may have looked at the terminal before it had it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._has_terminal:
            self._terminal.give(os.getpgrp())
        self._terminal.close()

    @property
    def status(self) -> int | None:
        """The exit status, 128 + n when signal n ended it; None while it runs."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    @property
    def has_left_some(self) -> bool:
        """Whether something of its group runs, the child itself or what it started."""
        if self.status is None:
            return True
        try:
            os.killpg(self.group, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it runs as somebody else, as behind sudo
        return True

    def signal(self, number: int) -> None:
        """Send a signal to all of its group; nothing happens when all has ended."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, number)

    async def wait(self) -> int:
        """Return the exit status once it has ended."""
        with trio.open_signal_receiver(signal.SIGCHLD, signal.SIGCONT) as arriving:
            while (status := self.status) is None:
                if self._has_terminal and self._was_stopped():
                    self._stop()
                elif await anext(arriving) == signal.SIGCONT:
                    self._go_on()
        return status

    def _was_stopped(self) -> bool:
        with suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.group, os.WSTOPPED | os.WNOHANG) is not None
        return False

    def _stop(self) -> None:
        """Stand still with the child, as if the terminal had told both; go on when told to."""
        self._terminal.give(os.getpgrp())
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        self._go_on()

    def _go_on(self) -> None:
        """Let the child go on, in the foreground if this process was put there."""
        here = self._terminal.foreground in (os.getpgrp(), self.group)
        self._has_terminal = self._may_read and here
        if self._has_terminal:
            self._terminal.give(self.group)
        self.signal(signal.SIGCONT)


def start_failure(command: Sequence[str], error: OSError) -> int:
    """Say why a command could not be started; return the exit status for it."""
    print(f"coord: {command[0]}: {error.strerror}", file=sys.stderr)
    return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
