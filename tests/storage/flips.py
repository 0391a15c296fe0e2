"""Random bytes of real log and tree files are changed; then they are opened in a child process.

python -m tests.storage.flips --rounds 2000 --seed 1

What is opened must be what was written, as far as it is shown; else it says in one sentence that it
is damaged. It never ends without a word, and never waits for ever.
"""

import argparse
import os
import random
import select
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from coord.consensus.log import HardState, point_of
from coord.storage.errors import Damaged
from coord.storage.start import Storage
from tests.storage.samples import everything, fill, history, persist, plant

ENTRIES, FLUSHED, COMMITTED = 300, 120, 240
SECONDS_MAX = 60


def made(folder: Path) -> None:
    """Write a data folder in many transactions: entries above the tree's point and below."""
    storage = Storage.open(folder, 1)
    plant(storage.tree)
    entries = history(ENTRIES, size=90)
    for place in range(0, ENTRIES, 4):
        batch = entries[place : place + 4]
        hard = HardState(1, 1, min(COMMITTED, place), 0, point_of(batch[-1]))
        storage.log.write(
            [persist(*batch, hard=hard)], trim_to=max(0, place - 250), configuration=b"c"
        )
        if place == FLUSHED:
            fill(storage.tree, 150)
            flush = storage.tree.freeze(point_of(entries[FLUSHED - 1]), b"the configuration")
            flush.write()
            storage.tree.finish(flush)
    storage.close()


def flipped(file: Path, rng: random.Random) -> str:
    """Change up to eight bytes, or lose a sector of the disk; say where."""
    data = bytearray(file.read_bytes())
    if rng.random() < 0.1:
        start = rng.randrange(len(data) // 512) * 512
        data[start : start + 512] = bytes(512)
        places = [start]
    else:
        places = [rng.randrange(len(data)) for _ in range(rng.randint(1, 8))]
        for place in places:
            data[place] ^= rng.choice((1 << rng.randrange(8), rng.randint(1, 255)))
    file.write_bytes(data)
    return f"{file.parent.name} at {places}"


def look(folder: Path, expected: object) -> str:
    """Open a folder and read all of it; what was found, or an AssertionError."""
    entries = history(ENTRIES, size=90)
    try:
        storage = Storage.open(folder, 1, may_lack_tree=True, suspects_log=True)
    except Damaged as fault:
        return f"ended: {type(fault).__name__}"
    log = storage.log
    assert log.last_index <= ENTRIES
    first = log.base.index + 1
    shown = log.read(first, log.last_index, 1 << 30) if log.last_index >= first else []
    assert shown == entries[log.base.index : log.last_index]
    if storage.lacks_tree:
        return "the tree is fetched"
    try:
        assert everything(storage.tree) == expected, "the tree is another one"
    except Damaged:
        return "the tree is found damaged when it is read"
    assert storage.tree.point.index <= log.last_index
    assert log.hard.reach == point_of(entries[-1]), "where the log ended is forgotten"
    if log.last_index < ENTRIES:
        return "entries are fetched"
    return "the log begins anew at the tree" if storage.warnings else "nothing was read there"


def opened_in_child(folder: Path, expected: object) -> str:
    """What a process of its own found."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.write(writing, look(folder, expected).encode())
            status = 0
        except BaseException:  # noqa: BLE001 - all that is not expected is shown
            traceback.print_exc()
        os._exit(status)
    os.close(writing)
    is_told = select.select([reading], [], [], SECONDS_MAX)[0]  # something, or that it has ended
    if not is_told:
        os.kill(child, 9)
    status = os.waitpid(child, 0)[1]
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    if not is_told:
        raise AssertionError("it hangs")
    if status:
        raise AssertionError(f"it ended with {os.waitstatus_to_exitcode(status)}")
    return text


def play(rounds: int, seed: int, folder: Path) -> Counter[str]:
    """Spoil copies of one folder; count what came of it."""
    whole = folder / "whole"
    made(whole)
    storage = Storage.open(whole, 1)
    expected = everything(storage.tree)
    storage.close()
    outcomes: Counter[str] = Counter()
    for number in range(rounds):
        rng = random.Random(f"{seed} {number}")
        copy = folder / "copy"
        shutil.copytree(whole, copy)
        file = rng.choice((copy / "log", *copy.glob("tree.*"))) / "data.mdb"
        where = flipped(file, rng)
        try:
            outcomes[opened_in_child(copy, expected)] += 1
        except AssertionError as fault:
            fault.add_note(f"seed {seed}, round {number}: {where}")
            raise
        shutil.rmtree(copy)
    return outcomes


def main() -> int:
    """Play and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = play(options.rounds, options.seed, Path(folder))
    for outcome, count in outcomes.most_common():
        print(f"{count:6} {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
