"""Replicas whose trees are wrong or damaged, in an ensemble and alone."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from coord.state.record import HEAD_AT, sealed
from coord.state.store import PATH_KEY, Table
from coord.storage.keys import PathKeys
from coord.storage.start import Storage
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble
from tests.storage.samples import flip_bit

FETCHED = "the state is fetched from the leader anew"
VICTIM = "/victim"


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoordEnsemble]:
    """Three replicas whose trees are flushed: on each disk is a znode to be spoilt."""
    with CoordEnsemble(tmp_path_factory.mktemp("reload")) as ensemble:
        client = KazooClient(hosts=ensemble.hosts, timeout=10)
        client.start()
        client.create(VICTIM, b"value")
        for number in range(12):  # more than is kept in memory
            client.create(f"/large{number}", b"x" * 900_000)
        client.stop()
        client.close()
        for replica in ensemble.ids:
            (file,) = data_dir(ensemble, replica).glob("tree.*/data.mdb")
            # The changes are there twice when they are in the tree and no more in its journal only.
            wait_for(partial(is_flushed, file), seconds=20, what="a flush")
        yield ensemble


def is_flushed(file: Path) -> bool:
    return file.stat().st_size > 16 << 20


def data_dir(ensemble: CoordEnsemble, replica: int) -> Path:
    return ensemble.folder / str(replica) / "data"


def stopped_storage(ensemble: CoordEnsemble, replica: int) -> Storage:
    """What a replica has on its disk, once it has ended."""
    assert ensemble.processes[replica].terminate() == 0
    storage = Storage.open(data_dir(ensemble, replica), replica)
    while storage.tree.look_on(1):
        pass
    unfinished = storage.tree.unfinished()
    if unfinished is not None:
        unfinished.write()
        storage.tree.finish(unfinished)
    assert storage.tree.get(VICTIM.encode()) is not None
    assert storage.tree.point.index > 0, "nothing was flushed"
    return storage


def tree_path(storage: Storage) -> Path:
    assert storage.log.tree is not None
    return storage.folder.tree_path(storage.log.tree)


def fetched(ensemble: CoordEnsemble, replica: int) -> int:
    return ensemble.processes[replica].output.count(FETCHED)


def agree(ensemble: CoordEnsemble) -> bool:
    """All replicas serve, and have the same state after the same operation."""
    states = []
    for i in ensemble.ids:
        metrics = ensemble.metrics(i)
        states.append((metrics.get("zk_coord_zxid"), metrics.get("zk_coord_digest")))
        if metrics.get("zk_coord_serving") != "1":
            return False
    return len(set(states)) == 1


def write(ensemble: CoordEnsemble, value: bytes) -> None:
    client = KazooClient(hosts=ensemble.hosts_of([ensemble.leader()]), timeout=10)
    client.start()
    client.set(VICTIM, value)
    client.stop()
    client.close()


def read(ensemble: CoordEnsemble, replica: int) -> bytes:
    """The victim as one replica has it; a client asks again when its connection is cut."""
    client = KazooClient(hosts=ensemble.hosts_of([replica]), timeout=10)
    client.start(timeout=20)
    value: bytes = client.retry(client.get, VICTIM)[0]
    client.stop()
    client.close()
    return value


def test_a_state_that_differs_from_the_leaders_is_replaced_by_the_leaders(
    ensemble: CoordEnsemble,
) -> None:
    replica = ensemble.followers()[0]
    storage = stopped_storage(ensemble, replica)
    record = storage.tree.get(VICTIM.encode())
    assert record is not None
    wrong = record[HEAD_AT:].replace(b"value", b"wrong")  # whole by its checksum, all the same
    storage.tree.put(VICTIM.encode(), sealed(VICTIM.encode(), wrong))
    flush = storage.tree.freeze(storage.tree.point, storage.tree.configuration)
    flush.write()
    storage.tree.finish(flush)
    old_tree = storage.log.tree
    storage.close()

    ensemble.restart(replica)
    before = ensemble.processes[replica].pid
    assert read(ensemble, replica) == b"wrong"
    write(ensemble, b"after")
    wait_for(lambda: fetched(ensemble, replica), seconds=10, what="the difference is found")
    wait_for(lambda: agree(ensemble), seconds=20, what="all have the same state")
    assert read(ensemble, replica) == b"after"
    assert fetched(ensemble, replica) == 1
    assert ensemble.processes[replica].pid == before
    assert ensemble.processes[replica].running
    assert not (data_dir(ensemble, replica) / str(old_tree)).exists()


def test_a_damaged_record_that_is_read_is_never_answered(ensemble: CoordEnsemble) -> None:
    replica = ensemble.followers()[0]
    storage = stopped_storage(ensemble, replica)
    path_key = storage.tree.row(Table.META, PATH_KEY)
    assert path_key is not None
    key, path = PathKeys(path_key[4:]).key_of(VICTIM.encode()), tree_path(storage)
    storage.close()
    flip_bit(path, b"nodes", key, 3)
    before = fetched(ensemble, replica)
    ensemble.restart(replica)
    assert read(ensemble, replica) == b"after"
    assert fetched(ensemble, replica) == before + 1
    wait_for(lambda: agree(ensemble), seconds=20, what="all have the same state")


@pytest.mark.parametrize("damage", ["cut off", "overwritten", "gone"])
def test_a_tree_that_cannot_be_opened_is_fetched_anew(ensemble: CoordEnsemble, damage: str) -> None:
    replica = ensemble.followers()[0]
    storage = stopped_storage(ensemble, replica)
    file = tree_path(storage) / "data.mdb"
    storage.close()
    match damage:
        case "cut off":
            with file.open("r+b") as opened:
                opened.truncate(3 * 4096)
        case "overwritten":
            with file.open("r+b") as opened:
                opened.write(b"\xa5" * 8192)
        case _:
            file.unlink()
            (file.parent / "lock.mdb").unlink(missing_ok=True)
            file.parent.rmdir()
    before = fetched(ensemble, replica)
    ensemble.restart(replica)
    assert fetched(ensemble, replica) == before + 1
    wait_for(lambda: agree(ensemble), seconds=20, what="all have the same state")
    assert read(ensemble, replica) == b"after"


def test_a_single_replica_ends_with_one_line(tmp_path: Path) -> None:
    with CoordEnsemble(tmp_path, 1) as ensemble:
        process = ensemble.processes[1]
        process.kill()
        (folder,) = data_dir(ensemble, 1).glob("tree.*")
        folder.rename(tmp_path / "elsewhere")
        process.start()
        wait_for(lambda: not process.running, seconds=20, what="it ends")
        assert process.status == 1
        assert process.output.count("coord: the log names tree.1, which is not there") == 1
        assert "Traceback" not in process.output
