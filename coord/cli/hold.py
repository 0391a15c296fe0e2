"""Running a command while something is held: what `coord lock` and `coord elect` share.

A guardian (`coord.cli.guardian`) ends the command before the deadline until which the servers have
proved that it is held. The exit status is the command's own, except where it says what became of
the hold; see the numbers below.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import IO, Any, Final, Literal, Self, get_args

import attrs
import click
import trio

from client import Client, ClientConfig, Held, LayoutName, LockLost
from client.deadline import boottime
from coord.cli import guardian
from coord.cli.child import Child, start_failure
from coord.cli.running import UNAVAILABLE, Running
from coord.cli.words import hosts_option

HELD_BY_ANOTHER: Final = 75
"""Exit status of `--no-wait` when another holds it (EX_TEMPFAIL)."""

GRACE_SHARE: Final = 0.1
"""Share of the session timeout that a command gets between SIGTERM and the deadline."""

TELL_SHARE: Final = 0.05
"""Share of the session timeout after which the guardian is told of a later deadline."""

LEFT_POLL_S: Final = 0.01
"""How often to look whether what the command left behind has ended."""


@attrs.frozen
class Wanted:
    """What is to be held, and what is to run meanwhile."""

    what: Literal["lock", "lead"]
    """The method of `Client` that takes it."""
    prefix: str
    """Of the variables that tell the command what is held: "COORD_LOCK"."""
    hosts: str
    """The servers."""
    path: str
    """What is contended for."""
    command: Sequence[str]
    """What runs."""
    data: str
    """What others see of the holder."""
    layout: LayoutName
    """With whose contenders it contends."""
    wait: bool
    """Whether to wait while another holds it."""
    session_timeout: float | None
    """In seconds, as asked of the servers; None: as the environment says."""


class Guard:
    """The guardian's process, as this one sees it; a context in which it lives."""

    def __init__(self, grace_s: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(guardian.__file__)), str(grace_s)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._input: IO[bytes] = self._process.stdin

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.finish()

    def tell(self, what: object) -> bool:
        """Give it a line; False when it does not live."""
        try:
            self._input.write(f"{what}\n".encode())
            self._input.flush()
        except (BrokenPipeError, ValueError):
            return False
        return True

    def finish(self) -> str | None:
        """End it; return why the command could not go on, in words, None when it could."""
        self.tell("done")
        with suppress(BrokenPipeError):
            self._input.close()
        status = self._process.wait()
        if status == 0:
            return None
        return "no server proved in time that it is held" if status == 1 else "its guardian ended"


class Holding(Running):
    """One run of `coord lock` or `coord elect`."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted.hosts, wanted.path, wanted.command)
        self._wanted = wanted
        self._ended: str | None = None
        """Why the command was ended by us, in words."""
        self._deadline = 0.0
        """Until when the hold was proved, when last asked."""
        self._grace_s = 0.0

    def _settings(self) -> ClientConfig:
        config = super()._settings()
        if self._wanted.session_timeout is None:
            return config
        return attrs.evolve(config, session_timeout=self._wanted.session_timeout)

    async def _work(self, zk: Client) -> None:
        wanted = self._wanted
        take = zk.lock if wanted.what == "lock" else zk.lead
        self._grace_s = zk.session.timeout * GRACE_SHARE
        try:
            with Guard(self._grace_s) as guard:
                async with take(
                    wanted.path, wanted.data.encode(), layout=wanted.layout, wait=wanted.wait
                ) as held:
                    await self._run(held, guard, zk.session.timeout * TELL_SHARE)
        except trio.WouldBlock:
            self._give_up(f"{wanted.path} is held by another", HELD_BY_ANOTHER)
        except LockLost as lost:
            self._ended = lost.reason
        if self._ended is not None:
            self._give_up(f"{wanted.path} was lost: {self._ended}", UNAVAILABLE)

    async def _run(self, held: Held, guard: Guard, interval_s: float) -> None:
        """Run the command; leave nothing of it behind."""
        wanted = self._wanted
        self._deadline = boottime() + held.seconds_left()
        environment = {
            "COORD_HOSTS": wanted.hosts,
            f"{wanted.prefix}_PATH": wanted.path,
            f"{wanted.prefix}_TOKEN": str(held.token),
            # As a client of these hosts calls it, with their chroot taken off.
            f"{wanted.prefix}_ZNODE": f"{wanted.path}/{held.guard().path.rpartition('/')[2]}",
        }
        try:
            child = Child(wanted.command, environment)
        except OSError as error:
            self._status = start_failure(wanted.command, error)
            return
        with child:
            self._child = child
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._prolong, held, child, guard, interval_s)
                    self._status = await child.wait()
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True):
                    await self._end(child, guard)
                self._child = None
                self._ended = guard.finish()

    async def _prolong(self, held: Held, child: Child, guard: Guard, interval_s: float) -> None:
        """Tell the guardian of each new deadline; without a guardian, end the command."""
        told = guard.tell(child.group)
        while told:
            deadline = boottime() + held.seconds_left()
            self._deadline = deadline
            told = guard.tell(deadline)
            await trio.sleep(interval_s)
        child.signal(signal.SIGKILL)

    async def _end(self, child: Child, guard: Guard) -> None:
        """End what runs of the command, within the grace and before the deadline."""
        if not child.has_left_some:
            return
        ends_at = min(self._deadline, boottime() + self._grace_s)
        if guard.tell(f"end {ends_at}"):
            with trio.move_on_after(max(0.0, ends_at - boottime())):
                await self._until_nothing_is_left(child)
        child.signal(signal.SIGKILL)
        await child.wait()

    async def _until_nothing_is_left(self, child: Child) -> None:
        await child.wait()
        while True:
            if not child.has_left_some:
                return
            await trio.sleep(LEFT_POLL_S)


def default_data() -> str:
    """Return what others see of the holder when it says nothing of itself."""
    return f"{socket.gethostname()}:{os.getpid()}"


_OPTIONS: Final = (
    hosts_option,
    click.option(
        "--wait/--no-wait",
        default=True,
        show_default=True,
        help=f"Whether to wait while another holds it, or to end with status {HELD_BY_ANOTHER}.",
    ),
    click.option(
        "--session-timeout",
        show_default="COORD_SESSION_TIMEOUT, else 10",
        type=click.FloatRange(min=0, min_open=True),
        help="Seconds after which the servers give up a holder that is silent.",
    ),
    click.option(
        "--data",
        default=default_data,
        show_default="HOST:PID",
        help="What others see of the holder.",
    ),
    click.option(
        "--layout",
        default="coord",
        show_default=True,
        type=click.Choice(get_args(LayoutName)),
        help="Whose contenders to contend with: programs that use the same exclude each other.",
    ),
    click.argument("path"),
    click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True),
)


def held_options(
    what: Literal["lock", "lead"], prefix: str
) -> Callable[[Callable[[Wanted], None]], Callable[..., None]]:
    """Give a function the command line of what holds something; it gets what is wanted."""

    def decorate(function: Callable[[Wanted], None]) -> Callable[..., None]:
        @wraps(function)
        def run(**options: Any) -> None:
            function(Wanted(what, prefix, **options))

        for option in reversed(_OPTIONS):
            option(run)
        return run

    return decorate
