"""`coord watch PATH [-- COMMAND]`: see a znode change, or run a command for each change."""

import json
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import click
import trio

from client import Client, Znode, ZooKeeperError, connect
from coord.cli.child import Child, refuse_missing, start_failure, taken_signals
from coord.cli.settings import settings
from coord.cli.words import CONNECTED_WITHIN_S, hosts_option
from coord.cli.znode import print_data, record

UNAVAILABLE: Final = 69
"""Exit status when no server answers (EX_UNAVAILABLE)."""


@click.command()
@hosts_option
@click.option("--json", "as_json", is_flag=True, help="Print each state as a line of JSON.")
@click.option("--once", is_flag=True, help="End after the first state.")
@click.option("--fail", is_flag=True, help="End when COMMAND fails.")
@click.argument("path")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def watch(
    hosts: str,
    path: str,
    command: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - click's way
    once: bool,  # noqa: FBT001
    fail: bool,  # noqa: FBT001
) -> None:
    """Print the data of the znode PATH at once and after each change, or run COMMAND instead.

    Changes that come faster than they are handled melt into one; the last is always handled. A
    znode that is missing is a state, too.

    COMMAND gets the data on its standard input, and in its environment COORD_WATCH_PATH,
    COORD_WATCH_EXISTS (1 or 0), COORD_WATCH_VERSION and COORD_WATCH_ZXID (of the change; empty
    while the znode is missing), and COORD_HOSTS. The next one starts after it has ended.

    Exit status: with --once and --fail that of the last COMMAND; 69 when no server answers, 1 when
    the servers refuse, 2 for wrong usage, 128 + n after signal n, which COMMAND gets as well.
    """
    if command:
        refuse_missing(command)
    try:
        sys.exit(trio.run(Watching(hosts, path, command, as_json, once, fail).run))
    except KeyboardInterrupt:
        sys.exit(130)


@attrs.define
class Watching:
    """One run of `coord watch`."""

    hosts: str
    """The servers."""
    path: str
    """What is watched."""
    command: Sequence[str]
    """What runs for each state; empty: the state is printed."""
    as_json: bool
    """Whether it is printed as JSON."""
    once: bool
    """Whether the first state is the last."""
    fail: bool
    """Whether to end when the command fails."""
    _child: Child | None = attrs.field(default=None, init=False)
    _status: int = attrs.field(default=0, init=False)
    _signal: int = attrs.field(default=0, init=False)
    """The signal that ended it; 0: none."""

    async def run(self) -> int:
        """Return the exit status."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._take_signals, nursery.cancel_scope)
            try:
                await self._connect()
            except trio.TooSlowError:
                self._give_up(f"no server of {self.hosts} answers", UNAVAILABLE)
            except ZooKeeperError as error:
                self._give_up(f"{type(error).__name__}: {self.path}", 1)
            except ValueError as error:
                self._give_up(str(error), 2)
            nursery.cancel_scope.cancel()
        return 128 + self._signal if self._signal else self._status

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
                if self._child is None or number not in (signal.SIGUSR1, signal.SIGUSR2):
                    self._signal = number
                if self._child is not None:
                    self._child.signal(number)
                else:
                    everything.cancel()

    async def _connect(self) -> None:
        with trio.fail_after(CONNECTED_WITHIN_S) as scope:
            async with connect(settings(self.hosts)) as zk:
                scope.deadline = float("inf")
                await self._follow(zk)

    async def _follow(self, zk: Client) -> None:
        async for state in zk.watch(self.path):
            if self.command:
                await self._handle(state)
            elif self.as_json:
                print(json.dumps(record(self.path, state)), flush=True)
            elif state is None:
                print("(no such znode)", flush=True)
            else:
                print_data(state.data)
            if self.once or self._signal or (self.fail and self._status):
                return

    async def _handle(self, state: Znode | None) -> None:
        """Run the command for one state."""
        with tempfile.TemporaryFile() as data:
            data.write(b"" if state is None else state.data)
            data.seek(0)
            try:
                child = Child(self.command, self._environment(state), data)
            except OSError as error:
                self._status = start_failure(self.command, error)
                return
        with child:
            self._child = child
            try:
                self._status = await child.wait()
            finally:
                if child.status is None:
                    child.signal(signal.SIGTERM)
                self._child = None
        if self._status and not self._signal:
            print(f"coord: {self.command[0]} ended with status {self._status}", file=sys.stderr)

    def _environment(self, state: Znode | None) -> Mapping[str, str]:
        return {
            "COORD_HOSTS": self.hosts,
            "COORD_WATCH_PATH": self.path,
            "COORD_WATCH_EXISTS": "0" if state is None else "1",
            "COORD_WATCH_VERSION": "" if state is None else str(state.stat.version),
            "COORD_WATCH_ZXID": "" if state is None else str(state.stat.mzxid),
        }
