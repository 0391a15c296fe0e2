"""Five replicas of which four elect and two replicate."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ensemble import frames
from tests.ensemble.probe import ClosedError, Probe
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import REPOSITORY, CoordEnsemble

BASE = "/quorums"
SILENCE_S = 1.5


@pytest.fixture
def ensemble(tmp_path: Path) -> Iterator[CoordEnsemble]:
    with CoordEnsemble(tmp_path, 5, quorums="simple L=4 R=2", tick_ms=1000) as five:
        yield five


@pytest.fixture
def drops() -> Iterator[ExitStack]:
    """What is done at the end of a test."""
    with ExitStack() as stack:
        yield stack


def write(probe: Probe, names: range) -> list[str]:
    """Create nodes and return the paths that were acknowledged."""
    return [probe.create(f"{BASE}/{name}") for name in names]


def test_two_replicas_write_and_three_neither_elect_nor_lose_anything(
    ensemble: CoordEnsemble, drops: ExitStack
) -> None:
    """AT-4."""
    leader = ensemble.leader()
    *victims, survivor = ensemble.followers()
    with Probe(ensemble.address(leader)) as probe:
        probe.create(BASE)
        acknowledged = write(probe, range(10))
        for victim in victims:
            ensemble.kill(victim)
        acknowledged += write(probe, range(10, 20))
    writer = Probe(ensemble.address(survivor), timeout_ms=9000)
    drops.callback(writer.drop)
    reader = Probe(ensemble.address(survivor), timeout_ms=9000)
    drops.callback(reader.drop)
    acknowledged += write(writer, range(20, 30))

    ensemble.kill(leader)
    body = frames.create_body(f"{BASE}/unknown", b"", 0)
    writer.send(frames.CREATE, body)
    # Reads go on until the connection has been without a lease for two thirds of its timeout.
    assert set(acknowledged) == {f"{BASE}/{name}" for name in reader.children(BASE)[0]}
    writer.socket.settimeout(SILENCE_S)
    with pytest.raises(TimeoutError):
        writer.receive()
    with pytest.raises(ClosedError):
        read_for_ever(reader, acknowledged[-1])
    assert "election quorum" in status(ensemble)

    for replica in (*victims[:2], leader):
        ensemble.restart(replica, wait=False)
    ensemble.wait_until_serving([*victims[:2], leader, survivor])
    with Probe(ensemble.address(victims[0])) as probe:
        probe.sync()
        present = {f"{BASE}/{name}" for name in probe.children(BASE)[0]}
        assert set(acknowledged) <= present <= {*acknowledged, f"{BASE}/unknown"}
        write(probe, range(30, 40))


def test_an_entry_that_only_the_leader_has_is_explained(tmp_path: Path, drops: ExitStack) -> None:
    """AT-14 on a live ensemble."""
    with CoordEnsemble(tmp_path, 3, tick_ms=1000) as ensemble:
        leader = ensemble.leader()
        probe = Probe(ensemble.address(leader), timeout_ms=4000)
        drops.callback(probe.drop)
        probe.create(BASE)
        assert "no entry is known that is not committed" in status(ensemble, "--explain")
        for follower in ensemble.followers():
            ensemble.kill(follower)
        probe.send(frames.CREATE, frames.create_body(f"{BASE}/unknown", b"", 0))
        wait_for(
            lambda: ensemble.metrics(leader).get("zk_coord_newest"),
            seconds=10,
            what="the entry in the leader's log",
        )
        text = status(ensemble, "--explain")
        assert f"replica {leader}" in text
        assert "Maybe 1." in text
        assert "can be decided: it may be written next" in text


def read_for_ever(probe: Probe, path: str) -> None:
    """Read a node that is there until the connection breaks."""
    while True:
        probe.try_get(path).reader()


def status(ensemble: CoordEnsemble, *options: str) -> str:
    """What `coord status` says."""
    process = subprocess.run(
        [sys.executable, "-m", "coord", "status", "--hosts", ensemble.hosts, *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return process.stdout + process.stderr
