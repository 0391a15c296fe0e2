"""Bytes of real files are changed; `python -m tests.ensemble.flips` plays a thousand."""

import shutil
import time
from pathlib import Path

from kazoo.client import KazooClient

from tests.ensemble.flips import play
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble


def test_what_was_acknowledged_survives_changed_bytes(tmp_path: Path) -> None:
    done = play(tmp_path, 5, 2)
    print(done.outcomes)
    assert done.flips >= 5


def test_a_replica_whose_disk_was_replaced_never_votes(tmp_path: Path) -> None:
    """AT-32: with an older copy of its disk it ends; with an empty one it follows."""
    with CoordEnsemble(tmp_path) as ensemble:
        made_s = time.time()
        leader = ensemble.leader()
        changed, other = ensemble.followers()
        data, copy = tmp_path / str(changed) / "data", tmp_path / "copy"
        ensemble.kill(changed)
        shutil.copytree(data, copy)
        ensemble.restart(changed)
        write(ensemble, changed)
        ensemble.kill(changed)
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        ensemble.restart(changed, wait=False)
        process = ensemble.processes[changed]
        wait_for(lambda: not process.running, seconds=30, what="the end of the older copy")
        assert process.status == 1
        assert "older copy of this replica's" in process.output.splitlines()[-1]
        assert "comes with an older copy" in ensemble.processes[leader].output
        # A folder's first start is numbered by the time in seconds, and each one after adds one.
        wait_for(lambda: time.time() > made_s + 3, seconds=30, what="a time above the old starts")
        shutil.rmtree(data)
        ensemble.restart(changed)
        follows(ensemble, changed, leader)
        ensemble.kill(leader)
        ensemble.kill(other)
        ensemble.restart(other, wait=False)
        # Two of three, and a quorum if the changed one counted: for three elections nobody leads.
        try:
            wait_for(ensemble.leader_nowait, seconds=3, what="a leader")
        except TimeoutError:
            pass
        else:
            raise AssertionError("the replica with a new disk has voted")
        ensemble.restart(leader)
        assert ensemble.leader() in (leader, other)


def write(ensemble: CoordEnsemble, replica: int) -> None:
    """Write something through a replica."""
    client = KazooClient(hosts=ensemble.hosts_of([replica]), timeout=10)
    client.start()
    client.create("/before", b"it was lost")
    client.stop()
    client.close()


def follows(ensemble: CoordEnsemble, replica: int, leader: int) -> None:
    """Wait until a replica has everything that the leader has."""
    wait_for(
        lambda: (
            ensemble.metrics(replica).get("zk_coord_zxid")
            == ensemble.metrics(leader).get("zk_coord_zxid")
        ),
        seconds=20,
        what="it has everything",
    )
