"""`coord lock` and `coord elect`: exit statuses, signals, and the end of a hold that was lost.

One loss here; `python -m tests.ensemble.held` times all kinds, as often as one likes.
"""

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from client import connect
from coord.cli.hold import Holding, Wanted
from tests.ensemble.held import lose, verify
from tests.ensemble.servers import CoordEnsemble, Ensemble

SESSION_S = 4.0
ATTEMPTS = 5
STILL_S_MAX = 0.05
"""A promise about time cannot be looked at on a machine that stands still for longer."""


@pytest.fixture
def ensemble(coord: Ensemble) -> Ensemble:
    """The tests of this module are about coord's commands, not about servers."""
    return coord


def wanted(hosts: str, path: str, *command: str, elect: bool = False, wait: bool = False) -> Wanted:
    """What `coord lock` or `coord elect` would make of these arguments."""
    if elect:
        return Wanted("lead", "COORD_TERM", hosts, path, command, "me", "coord", wait, None)
    return Wanted("lock", "COORD_LOCK", hosts, path, command, "me", "coord", wait, None)


def holding(hosts: str, path: str, *command: str, wait: bool = False) -> Holding:
    """A run of `coord lock` in this process."""
    return Holding(wanted(hosts, path, *command, wait=wait))


def hold(hosts: str, path: str, *command: str, elect: bool = False) -> int:
    """Run it; the exit status."""
    return trio.run(Holding(wanted(hosts, path, *command, elect=elect)).run)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -KILL $$", 137),
        # What is sent to `coord lock` reaches the command, which decides what becomes of it.
        ("trap 'exit 9' TERM; kill -TERM $PPID; while :; do sleep 0.05; done", 9),
        ("kill -USR1 $PPID; while :; do sleep 0.05; done", 138),
        # What it leaves behind is ended before the lock is released.
        ("sleep 600 & exit 4", 4),
    ],
)
def test_the_exit_status_is_that_of_the_command(
    coord: Ensemble, base: str, script: str, status: int
) -> None:
    assert hold(coord.hosts, f"{base}/lock", "sh", "-c", script) == status


@pytest.mark.parametrize("elect", [False, True])
def test_the_command_finds_its_token_and_the_znode_to_check(
    coord: Ensemble, base: str, tmp_path: Path, elect: bool
) -> None:
    found = tmp_path / "environment"
    assert hold(coord.hosts, f"{base}/held", "sh", "-c", f"env > {found}", elect=elect) == 0
    environment = dict(line.split("=", 1) for line in found.read_text().splitlines() if "=" in line)
    prefix = "COORD_TERM" if elect else "COORD_LOCK"
    assert int(environment[f"{prefix}_TOKEN"]) > 0
    assert environment[f"{prefix}_PATH"] == f"{base}/held"
    assert environment[f"{prefix}_ZNODE"].startswith(f"{base}/held/")
    assert environment["COORD_HOSTS"] == coord.hosts


async def test_without_waiting_one_is_told_that_another_holds_it(
    coord: Ensemble, base: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with connect(coord.hosts) as zk, zk.lock(f"{base}/lock"):
        assert await holding(coord.hosts, f"{base}/lock", "true").run() == 75
    assert "is held by another" in capfd.readouterr().err


async def test_a_signal_while_waiting_ends_it_and_leaves_nothing_in_the_queue(
    coord: Ensemble, base: str
) -> None:
    waiting = holding(coord.hosts, f"{base}/lock", "true", wait=True)
    statuses: list[int] = []
    was_told = False

    async def wait_for_the_lock() -> None:
        statuses.append(await waiting.run())

    async with (
        connect(coord.hosts) as zk,
        zk.lock(f"{base}/lock"),
        zk.watch_children(f"{base}/lock") as queue,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(wait_for_the_lock)
        async for names in queue:
            if len(names or ()) == 2:
                was_told = True
                os.kill(os.getpid(), signal.SIGTERM)
            elif was_told:
                break
    assert statuses == [128 + signal.SIGTERM]


def test_a_znode_that_somebody_deletes_ends_the_command_with_69(
    coord: Ensemble, base: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # By the command itself: before it runs, a znode that has gone is only made anew.
    delete = f'{sys.executable} -m coord shell -- delete "$COORD_LOCK_ZNODE"'
    assert hold(coord.hosts, f"{base}/lock", "sh", "-c", f"{delete}; exec sleep 600") == 69
    assert "was lost: its znode was deleted" in capfd.readouterr().err


def test_what_cannot_be_started_or_held_is_refused(
    coord: Ensemble, base: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for path, command, status, words in [
        (f"{base}/l", "no-such-program", 127, "No such file"),
        (f"{base}/l", os.devnull, 126, "Permission denied"),
        ("relative", "true", 2, "no path"),
    ]:
        with pytest.raises(SystemExit) as ended:
            Holding(wanted(coord.hosts, path, command)).main()
        said = capfd.readouterr().err
        assert (ended.value.code, said.count("\n")) == (status, 1)
        assert words in said


def test_a_command_whose_lock_is_lost_ends_before_the_deadline_and_the_next_one_begins(
    tmp_path: Path,
) -> None:
    with CoordEnsemble(tmp_path, 1) as ensemble:
        for _ in range(ATTEMPTS):
            loss = lose(ensemble, "stop_all", SESSION_S, tmp_path)
            if loss.stood_still_s < STILL_S_MAX:
                break
        verify("stop_all", SESSION_S, loss)
