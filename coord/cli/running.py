"""What stays connected and runs another command: the ground of `coord lock`, `elect` and `watch`.

Signals are taken from the first moment on: they reach the command while one runs, and end all else.
What goes wrong with the servers is said in one line, and in the exit status.
"""

import abc
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import trio

from client import Client, ClientConfig, ZooKeeperError, connect
from coord.cli.child import Child, refuse_missing, taken_signals
from coord.cli.settings import settings
from coord.cli.words import CONNECTED_WITHIN_S

UNAVAILABLE: Final = 69
"""Exit status when no server answers, or what was held was lost (EX_UNAVAILABLE)."""

REFUSED: Final = 1
"""Exit status when the servers refuse, as with NoAuth."""

WRONG: Final = 2
"""Exit status for what cannot be asked for, as a path without a slash."""

INTERRUPTED: Final = 130
"""Exit status after a Ctrl-C that came before signals were taken."""


class Running(abc.ABC):
    """One run of such a command."""

    def __init__(self, hosts: str, path: str, command: Sequence[str]) -> None:
        self.hosts: Final = hosts
        """The servers."""
        self.path: Final = path
        """The znode that it is about."""
        self.command: Final = command
        """What runs; empty: nothing."""
        self._child: Child | None = None
        """What runs now."""
        self._status = 0

    def main(self) -> NoReturn:
        """Run it, and end this process with the exit status."""
        if self.command:
            refuse_missing(self.command)
        try:
            sys.exit(trio.run(self.run))
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    async def run(self) -> int:
        """Return the exit status."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._take_signals, nursery.cancel_scope)
            try:
                await self._connect()
            except trio.TooSlowError:
                self._give_up(f"no server of {self.hosts} answers", UNAVAILABLE)
            except ZooKeeperError as error:
                self._give_up(f"{type(error).__name__}: {self.path}", REFUSED)
            except ValueError as error:
                self._give_up(str(error), WRONG)
            nursery.cancel_scope.cancel()
        return self._status

    def _settings(self) -> ClientConfig:
        """Return how to connect."""
        return settings(self.hosts)

    @abc.abstractmethod
    async def _work(self, zk: Client) -> None:
        """Do what it is for."""

    def _take(self, number: int) -> bool:
        """Take a signal; return whether everything shall end at once."""
        if self._child is not None:
            self._child.signal(number)
            return False
        self._status = 128 + number
        return True

    def _give_up(self, sentence: str, status: int) -> None:
        print(f"coord: {sentence}", file=sys.stderr)
        self._status = status

    async def _take_signals(
        self,
        everything: trio.CancelScope,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        with trio.open_signal_receiver(*taken_signals()) as arriving:
            task_status.started()
            async for number in arriving:
                if self._take(number):
                    everything.cancel()

    async def _connect(self) -> None:
        with trio.fail_after(CONNECTED_WITHIN_S) as scope:
            async with connect(self._settings()) as zk:
                scope.deadline = float("inf")
                await self._work(zk)
