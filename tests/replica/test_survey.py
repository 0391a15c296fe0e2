"""What a replica says of itself: figures that are to be believed."""

import json

from coord.replica.admin import page
from coord.replica.status import Status
from coord.replica.survey import survey
from coord.replica.words import answer
from tests.replica.ensemble import Ensemble


def status_of(ensemble: Ensemble, number: int) -> Status:
    return survey(ensemble[number].replica, (), (), 0, 0, ())


def exported(ensemble: Ensemble) -> tuple[int, int]:
    """The lag of a majority behind the leader, by `mntr` and by /metrics."""
    status = status_of(ensemble, ensemble.leader)
    words = answer("mntr", status)
    assert isinstance(words, bytes)
    monitored = dict(line.split("\t") for line in words.decode().splitlines())
    metrics = dict(
        line.split(" ")
        for line in page("/metrics", status).body.decode().splitlines()
        if line.startswith("coord_majority")
    )
    return int(monitored["zk_coord_majority_lag"]), int(metrics["coord_majority_lag"])


def test_what_is_committed_and_not_on_a_majority_yet_is_exported() -> None:
    """AT-33: where one of three replicates, each write that the others miss counts until they
    have it.
    """
    ensemble = Ensemble(3, "simple L=3 R=1")
    ensemble.run(2000)
    leader = ensemble.leader
    client = ensemble.client(leader)
    assert exported(ensemble) == (0, 0)
    ensemble.stopped.update({1, 2, 3} - {leader})
    before = ensemble[leader].node.commit_index
    for number in range(5):
        client.create(f"/{number}")
        ensemble.run(25)
    committed = ensemble[leader].node.commit_index - before
    assert committed == 5
    assert exported(ensemble) == (5, 5)
    ensemble.stopped.clear()
    ensemble.run(500)
    assert exported(ensemble) == (0, 0)
    assert all(status_of(ensemble, number).majority_lag == 0 for number in (1, 2, 3))


def test_clients_over_tls_are_listed_apart() -> None:
    ensemble = Ensemble(1, "majority")
    ensemble.run(500)
    plain, secure = ensemble.client(1), ensemble.client(1)
    secure.is_secure = True
    told = json.loads(page("/commands/cons", status_of(ensemble, 1)).body)
    found = [
        [each["session_id"] for each in told[name]]
        for name in ("connections", "secure_connections")
    ]
    assert found == [[f"0x{each.connection.session_id:x}"] for each in (plain, secure)]
