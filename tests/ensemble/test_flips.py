"""Bytes of real files are changed; `python -m tests.ensemble.flips` plays a thousand."""

import shutil
from pathlib import Path

from kazoo.client import KazooClient

from tests.ensemble.flips import play
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble


def test_what_was_acknowledged_survives_changed_bytes(tmp_path: Path) -> None:
    done = play(tmp_path, 5, 2)
    print(done.outcomes)
    assert done.flips >= 5


def test_a_replica_whose_disk_was_replaced_follows_and_never_votes(tmp_path: Path) -> None:
    """AT-32."""
    with CoordEnsemble(tmp_path) as ensemble:
        client = KazooClient(hosts=ensemble.hosts_of([ensemble.leader()]), timeout=10)
        client.start()
        client.create("/before", b"it was lost")
        client.stop()
        client.close()
        leader = ensemble.leader()
        wiped, other = ensemble.followers()
        ensemble.kill(wiped)
        shutil.rmtree(tmp_path / str(wiped) / "data")
        ensemble.restart(wiped)
        wait_for(
            lambda: (
                ensemble.metrics(wiped).get("zk_coord_zxid")
                == ensemble.metrics(leader).get("zk_coord_zxid")
            ),
            seconds=20,
            what="the wiped replica has everything",
        )
        ensemble.kill(leader)
        ensemble.kill(other)
        ensemble.restart(other, wait=False)
        # Two of three, and a quorum if the wiped one counted: for three elections nobody leads.
        try:
            wait_for(ensemble.leader_nowait, seconds=3, what="a leader")
        except TimeoutError:
            pass
        else:
            raise AssertionError("the wiped replica has voted")
        ensemble.restart(leader)
        assert ensemble.leader() in (leader, other)
