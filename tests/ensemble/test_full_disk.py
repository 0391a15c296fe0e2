"""Three replicas on a small disk of their own: it fills up, deletes pass, and it recovers."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import QuotaExceededError

from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble

DISK_MIB = 400
LEFT_MIB = 30  # of the 50 that each replica keeps for deletes
VALUE = b"x" * 900_000


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system in memory; its size is its limit."""
    folder = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "coord-test", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError as error:
        pytest.skip(f"no small disk to fill: mount cannot be run ({error.strerror})")
    if done.returncode:
        pytest.skip(f"no small disk to fill: mounting is not permitted ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], timeout=20, check=True)


@pytest.fixture(scope="module")
def ensemble(disk: Path) -> Iterator[CoordEnsemble]:
    with CoordEnsemble(disk) as ensemble:
        yield ensemble


@pytest.fixture
def client(ensemble: CoordEnsemble) -> Iterator[KazooClient]:
    client = KazooClient(hosts=ensemble.hosts_of([ensemble.followers()[0]]), timeout=10)
    client.start()
    yield client
    client.stop()
    client.close()


def refusals(ensemble: CoordEnsemble) -> set[str]:
    """What the replicas say of themselves: 1 refuses, 0 takes writes."""
    return {ensemble.metrics(i).get("zk_coord_writes_refused", "?") for i in ensemble.ids}


def lines(ensemble: CoordEnsemble, text: str) -> list[int]:
    return [ensemble.processes[i].output.count(text) for i in ensemble.ids]


def write_until_refused(client: KazooClient) -> int:
    """Create nodes below /kept: how many."""
    written = 0
    with contextlib.suppress(QuotaExceededError):
        while written < DISK_MIB:
            client.create(f"/kept/{written}", VALUE)
            written += 1
    assert 10 < written < DISK_MIB
    return written


def test_a_full_disk_refuses_what_takes_room_and_recovers(
    ensemble: CoordEnsemble, client: KazooClient, disk: Path
) -> None:
    client.create("/kept", b"kept")
    written = write_until_refused(client)
    # The three share the disk; who looked first refuses first, and then nobody writes any more.
    free = shutil.disk_usage(disk).free
    (disk / "ballast").write_bytes(bytes(max(0, free - LEFT_MIB * 2**20)))

    wait_for(lambda: refusals(ensemble) == {"1"}, seconds=5, what="all refuse writes")
    with pytest.raises(QuotaExceededError):
        client.set("/kept", b"more")
    both = client.transaction()
    both.delete("/kept/0")
    both.create("/kept/new")
    with pytest.raises(QuotaExceededError):
        both.commit()
    assert client.get("/kept/0")[0] == VALUE
    client.delete("/kept/0")
    both = client.transaction()
    both.check("/kept", 0)
    both.delete("/kept/1")
    assert both.commit() == [True, True]
    assert client.exists("/kept/1") is None
    other = KazooClient(hosts=ensemble.hosts_of([ensemble.leader()]), timeout=10)
    other.start()  # a session begins
    assert len(other.get_children("/kept")) == written - 2
    other.stop()  # and ends
    other.close()
    assert all(process.running for process in ensemble.processes.values())
    # One line for the own disk, one for the leader's word, whichever holds; and again if there was
    # room for a moment while they shared the last of it. Never one for each look at the disk.
    assert sum(lines(ensemble, "the disk is nearly full")) >= 2
    assert set(lines(ensemble, "nearly full")) <= {1, 2, 3, 4}

    more = ["mount", "-o", f"remount,size={4 * DISK_MIB}m", str(disk)]
    subprocess.run(more, timeout=20, check=True)
    wait_for(lambda: refusals(ensemble) == {"0"}, seconds=5, what="all take writes")
    client.set("/kept", b"more")
    assert lines(ensemble, "has room again") == lines(ensemble, "nearly full")
