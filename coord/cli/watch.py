"""`coord watch PATH [-- COMMAND]`: see a znode change, or run a command for each change."""

import json
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence

import click

from client import Client, Znode
from coord.cli.child import Child, start_failure
from coord.cli.running import Running
from coord.cli.words import hosts_option
from coord.cli.znode import print_data, record


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
    Watching(hosts, path, command, as_json=as_json, once=once, fail=fail).main()


class Watching(Running):
    """One run of `coord watch`.

    command: what runs for each state; empty: the state is printed.
    as_json: whether it is printed as JSON.
    once: whether the first state is the last.
    fail: whether to end when the command fails.
    """

    def __init__(
        self,
        hosts: str,
        path: str,
        command: Sequence[str],
        *,
        as_json: bool,
        once: bool,
        fail: bool,
    ) -> None:
        super().__init__(hosts, path, command)
        self._as_json = as_json
        self._once = once
        self._fail = fail
        self._signal = 0
        """The signal that ended it; 0: none."""

    async def run(self) -> int:
        """Return the exit status."""
        status = await super().run()
        return 128 + self._signal if self._signal else status

    def _take(self, number: int) -> bool:
        if self._child is None or number not in (signal.SIGUSR1, signal.SIGUSR2):
            self._signal = number
        return super()._take(number)

    async def _work(self, zk: Client) -> None:
        async for state in zk.watch(self.path):
            if self.command:
                await self._handle(state)
            elif self._as_json:
                print(json.dumps(record(self.path, state)), flush=True)
            elif state is None:
                print("(no such znode)", flush=True)
            else:
                print_data(state.data)
            if self._once or self._signal or (self._fail and self._status):
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
