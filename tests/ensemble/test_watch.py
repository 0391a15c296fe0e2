"""`coord watch`: every state is printed, or handed to a command."""

import json
from pathlib import Path

import pytest
import trio

from client import Client, connect
from coord.cli.watch import Watching
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import Ensemble


@pytest.fixture
def ensemble(coord: Ensemble) -> Ensemble:
    """The tests of this module are about coord's commands, not about servers."""
    return coord


def watching(
    hosts: str, path: str, *command: str, as_json: bool = False, once: bool = False
) -> Watching:
    return Watching(hosts, path, command, as_json=as_json, once=once, fail=not once)


async def wait_until_noted(notes: Path, line: str) -> None:
    """Wait until the command has written a line."""

    def noted() -> bool:
        return notes.exists() and line in notes.read_text().splitlines()

    await trio.to_thread.run_sync(lambda: wait_for(noted, seconds=30, what=line))


async def change(zk: Client, path: str, notes: Path) -> None:
    """Three states, each after the one before was handled."""
    await wait_until_noted(notes, "0  []")
    await zk.create(path, b"one")
    await wait_until_noted(notes, "1 0 [one]")
    await zk.set(path, b"bad")


async def test_a_command_is_run_for_each_state_until_it_fails(
    coord: Ensemble, base: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    script = """
        data=$(cat)
        echo "$COORD_WATCH_EXISTS $COORD_WATCH_VERSION [$data]" >> $0
        [ "$data" != bad ] || exit 6
    """
    async with connect(coord.hosts) as zk, trio.open_nursery() as nursery:
        nursery.start_soon(change, zk, f"{base}/a", notes)
        run = watching(coord.hosts, f"{base}/a", "sh", "-c", script, str(notes))
        assert await run.run() == 6
    assert notes.read_text().splitlines() == ["0  []", "1 0 [one]", "1 1 [bad]"]


async def test_states_are_printed_as_they_are_or_as_json(
    coord: Ensemble, base: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with connect(coord.hosts) as zk:
        await zk.create(f"{base}/a", b"one")
    assert await watching(coord.hosts, f"{base}/a", once=True).run() == 0
    assert await watching(coord.hosts, f"{base}/none", once=True).run() == 0
    assert await watching(coord.hosts, f"{base}/a", once=True, as_json=True).run() == 0
    data, none, record = capfd.readouterr().out.splitlines()
    assert (data, none) == ("one", "(no such znode)")
    assert json.loads(record)["data"] == "one"
