"""One shell: its session, its watches, its history, and how it carries out a command."""

from collections.abc import Mapping, Sequence
from typing import Final

import trio

from client import Client, State, ZooKeeperError
from client.errors import ClientClosed
from coord.cli.shell.connection import (
    Connect,
    Connection,
    NotConnected,
    connect_by_settings,
)
from coord.cli.shell.output import Output
from coord.cli.shell.row import Row, UsageError, split
from coord.cli.shell.watches import Watches

DONE: Final = 0
REFUSED: Final = 1
"""The servers refused the command."""
WRONG: Final = 2
"""The command is none, or written wrongly."""
UNAVAILABLE: Final = 69
"""No server answers (EX_UNAVAILABLE)."""


class Shell:
    """Carries out commands, one after the other."""

    def __init__(
        self,
        nursery: trio.Nursery,
        commands: Mapping[str, Row],
        hosts: str,
        output: Output,
        connect: Connect = connect_by_settings,
    ) -> None:
        self.commands = commands
        """Every command by its name."""
        self.hosts = hosts
        """The servers it began with."""
        self.output = output
        """Where results go."""
        self.connection = Connection(nursery, connect, self._tell_state)
        """Its session."""
        self.watches = Watches(nursery, output)
        """What it watches."""
        self.tells_states = False
        """Whether it is written when the connection is lost or made: at a prompt."""
        self.history: list[str] = []
        """The lines that were carried out, the first one first."""
        self.has_quit = False
        """Whether `quit` was given."""
        self.status = DONE
        """The exit status of the last command."""

    async def zk(self) -> Client:
        """Return the client; raises as `Connection.client`."""
        return await self.connection.client()

    async def run_line(self, line: str) -> None:
        """Carry out a line. Faults are written, and kept as `status`."""
        if not line.strip() or line.lstrip().startswith("#"):
            return
        self.history.append(line.strip())
        try:
            words = split(line)
        except UsageError as error:
            self._fail(WRONG, "UsageError", str(error))
        else:
            await self.run(words)

    async def run(self, words: Sequence[str]) -> None:
        """Carry out a command. Faults are written, and kept as `status`."""
        name = words[0]
        before, self.status = self.status, DONE
        try:
            await self._carry_out(name, words[1:])
            if self.has_quit:
                self.status = before
        except* UsageError as group:
            self._fail(WRONG, "UsageError", str(_first(group)))
        except* ZooKeeperError as group:
            kind = type(_first(group)).__name__
            self._fail(REFUSED, kind, f"{name}: {kind}: {' '.join(words[1:])}")
        except* (NotConnected, ClientClosed):
            self._fail(REFUSED, "NotConnected", f"{name}: there is no session; write: connect")
        except* trio.TooSlowError:
            hosts = self.connection.hosts
            self._fail(UNAVAILABLE, "ConnectionLoss", f"no server of {hosts} answers")
        except* (ValueError, OSError) as group:
            self._fail(WRONG, "ValueError", str(_first(group)))

    async def _carry_out(self, name: str, words: Sequence[str]) -> None:
        row = self.commands.get(name)
        if row is None:
            known = ", ".join(sorted(self.commands))
            raise UsageError(f"unknown command {name!r}; known are {known}")
        await row.action(self, row.read(words))

    def _tell_state(self, state: State) -> None:
        if self.tells_states and state is not State.CLOSED:
            self.output.event(state.name.title().replace("_", ""), self.connection.hosts)

    def _fail(self, status: int, name: str, sentence: str) -> None:
        self.status = status
        self.output.fault(name, sentence)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """Return the first of the errors in a group that was raised as one."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
