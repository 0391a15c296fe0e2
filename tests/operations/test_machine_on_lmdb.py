"""The state machine on the real store: the same bytes as on dictionaries, whenever it flushes."""

import random

import pytest

from coord.consensus.log import Point
from coord.operations import batch
from coord.operations.machine import StateMachine
from coord.state.tree import recompute_digest
from coord.storage.tree import TreeStore
from tests.operations.server import TIME_MS, Recorder, configuration
from tests.operations.test_machine import applied, entry, random_operations


@pytest.mark.parametrize("seed", range(3))
def test_a_tree_on_disk_ends_as_a_tree_in_memory_through_flushes_and_restarts(seed, tmp_path):
    print(f"seed {seed}")
    rng = random.Random(seed)
    operations = random_operations(seed, 250)
    expected, heard = applied(operations, [])

    path, audience = tmp_path / "tree.1", Recorder()
    store = TreeStore.create(path)
    machine = StateMachine(store)
    machine.configure(configuration(), TIME_MS)
    flush, index, done = None, 1, 0
    while done < len(operations):
        some = operations[done : done + rng.randint(1, 30)]
        machine.apply(entry(batch.encode_bundle(1, 1, done + 1, some)), audience)
        done, index = done + len(some), index + 1
        if flush is None:
            flush = store.freeze(Point(index, 1, index), b"")
        elif rng.random() < 0.5:
            flush.write()
            store.finish(flush)
            flush = None
            machine = StateMachine(store)
    assert audience.heard == heard.heard
    assert machine.digest == expected.digest == recompute_digest(store)

    if flush is not None:
        flush.write()
        store.finish(flush)
    last = store.freeze(Point(index + 1, 1, 0), b"")
    last.write()
    store.finish(last)
    store.close()
    store = TreeStore.open(path)
    again = StateMachine(store)
    assert again.digest == expected.digest == recompute_digest(store)
    assert (again.zxid, again.origin(1)) == (expected.zxid, expected.origin(1))
    store.close()
