"""Random bytes of the files of one replica of three are changed while it is down.

python -m tests.ensemble.flips --flips 1000 --seed 1

Then it is started again. Either it serves what was acknowledged, all of it, and has the state that
the others have; or it has ended with one line and a status that is no signal's. Sometimes one of
the others is down meanwhile, so that no leader can be had without the damaged one.
"""

import argparse
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble
from tests.storage.flips import flipped

NODES = 200
WRITES = 12
AGREE_SECONDS = 60.0


class Flipping:
    """An ensemble, what was acknowledged by it, and what came of each damage."""

    def __init__(self, ensemble: CoordEnsemble, seed: int) -> None:
        self.ensemble = ensemble
        self.random = random.Random(seed)
        self.acknowledged: dict[str, set[bytes]] = {}
        """What each node may hold: the last acknowledged value, and those of unknown outcome."""
        self.outcomes: Counter[str] = Counter()
        self.flips = 0
        self._written = 0

    def prepare(self) -> None:
        """Make the nodes."""
        client = self._client(self.ensemble.ids)
        for number in range(NODES):
            client.create_async(f"/n{number}", b"first")
            self.acknowledged[f"/n{number}"] = {b"first"}
        client.create("/end")
        self._close(client)

    def write(self) -> None:
        """Some acknowledged writes."""
        running = [i for i in self.ensemble.ids if self.ensemble.processes[i].running]
        client = self._client(running)
        for _ in range(WRITES):
            self._written += 1
            path = f"/n{self.random.randrange(NODES)}"
            value = b"%d." % self._written * self.random.choice((1, 10, 60))
            try:
                client.set(path, value)
            except KazooException:
                self.acknowledged[path].add(value)
            else:
                self.acknowledged[path] = {value}
        self._close(client)

    def check(self, replica: int) -> None:
        """A replica serves all that was acknowledged, and nothing else."""
        client = self._client([replica])
        client.retry(client.sync, "/")
        for path, values in self.acknowledged.items():
            found = client.retry(client.get, path)[0]
            assert found in values, f"replica {replica}: {path} is {found!r}, not one of {values}"
        self._close(client)

    def round(self) -> None:
        """Stop one replica, spoil a file, start it again, and look."""
        ensemble, draw = self.ensemble, self.random
        self.write()
        victim = draw.choice(list(ensemble.ids))
        process = ensemble.processes[victim]
        if draw.random() < 0.3:
            process.kill()
        else:
            assert process.terminate(seconds=30) == 0
        other = self._meanwhile(victim)
        data, copy = ensemble.folder / str(victim) / "data", ensemble.folder / "copy"
        shutil.copytree(data, copy)
        file = draw.choice([data / "log" / "data.mdb", *data.glob("tree.*/data.mdb")])
        where = flipped(file, draw)
        self.flips += where.count(",") + 1
        before = len(process.output)
        try:
            self._start(victim, other, before)
            if not process.running:
                self._judge_end(victim, before)
                shutil.rmtree(data)
                copy.rename(data)
                process.start()
            else:
                shutil.rmtree(copy)
                self._note(file.parent.name.partition(".")[0], process.output[before:])
            self._agree(ensemble.ids)
            self.check(victim)
        except BaseException as fault:
            fault.add_note(f"after {self.flips} flips: replica {victim}, {where}")
            fault.add_note(process.output[before:][-3000:])
            raise

    def _meanwhile(self, victim: int) -> int:
        """While the victim is down, another is killed (its id, else 0), or more is written."""
        if self.random.random() < 0.2:
            other = self.random.choice([i for i in self.ensemble.ids if i != victim])
            self.ensemble.kill(other)
            return other
        if self.random.random() < 0.5:
            self.write()
        return 0

    def _start(self, victim: int, other: int, before: int) -> None:
        """Start the victim, and later who else is down; wait until it serves or has ended."""
        ensemble = self.ensemble
        process = ensemble.processes[victim]
        process.start()
        up = [i for i in ensemble.ids if i != other]
        if other:
            wait_for(
                lambda: not process.running or self._is_alike(up) or self._lacks_state(before),
                seconds=AGREE_SECONDS,
                what=f"{up} have the same state, or {victim} has ended",
            )
            if process.running and self._is_alike(up):
                self.check(victim)
            ensemble.processes[other].start()
        wait_for(
            lambda: not process.running or self._is_alike(ensemble.ids),
            seconds=AGREE_SECONDS,
            what=f"all have the same state, or {victim} has ended",
        )

    def _lacks_state(self, before: int) -> bool:
        """Whether somebody said that the tree is gone: then two of three may be one too few."""
        return any("fetched" in p.output[before:] for p in self.ensemble.processes.values())

    def _judge_end(self, victim: int, before: int) -> None:
        """It has said one line, and why; it was not ended by a signal."""
        process = self.ensemble.processes[victim]
        output = process.output[before:]
        said = [line for line in output.splitlines() if line.startswith("coord: ")]
        assert process.status == 1, f"it ended with {process.status}"
        assert len(said) == 1, said
        assert "damaged" in said[0] or "differ" in said[0] or "tree" in said[0], said
        assert "Traceback" not in output
        self.outcomes["ended with one line"] += 1

    def _note(self, file: str, output: str) -> None:
        """Count what it said of the damage that it could do without."""
        assert "Traceback" not in output
        if "fetched from the leader" in output:
            self.outcomes["tree fetched anew"] += 1
        elif "no witness" in output:
            self.outcomes["entries mended"] += 1
        elif "begins anew" in output:
            self.outcomes["log begun anew at the tree"] += 1
        else:
            self.outcomes[f"nothing read there ({file})"] += 1

    def _agree(self, replicas: range) -> None:
        wait_for(
            lambda: self._is_alike(replicas),
            seconds=AGREE_SECONDS,
            what="all have the same state",
        )

    def _is_alike(self, replicas: range | list[int]) -> bool:
        """These serve and have the same state after the same operation."""
        states = set()
        for i in replicas:
            metrics = self.ensemble.metrics(i)
            if metrics.get("zk_coord_serving") != "1":
                return False
            states.add((metrics.get("zk_coord_zxid"), metrics.get("zk_coord_digest")))
        return len(states) == 1

    def _client(self, replicas: range | list[int]) -> KazooClient:
        client = KazooClient(
            hosts=self.ensemble.hosts_of(replicas),
            timeout=10,
            connection_retry={"max_tries": -1, "delay": 0.02, "max_delay": 0.2},
            command_retry={"max_tries": 200, "delay": 0.02, "max_delay": 0.2},
        )
        client.start(timeout=60)
        return client

    def _close(self, client: KazooClient) -> None:
        client.stop()
        client.close()


def play(folder: Path, flips: int, seed: int, *, is_told: bool = False) -> Flipping:
    """Flip at least so many bytes; what came of it."""
    with CoordEnsemble(folder, tick_ms=1000) as ensemble:
        flipping = Flipping(ensemble, seed)
        flipping.prepare()
        rounds = 0
        while flipping.flips < flips:
            flipping.round()
            rounds += 1
            if is_told and rounds % 10 == 0:
                print(f"{rounds} restarts, {flipping.flips} flips: {_told(flipping)}", flush=True)
        for replica in ensemble.ids:
            flipping.check(replica)
    return flipping


def _told(flipping: Flipping) -> str:
    return ", ".join(f"{count} {name}" for name, count in flipping.outcomes.most_common())


def main() -> None:
    """Play and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = play(Path(folder), options.flips, options.seed, is_told=True)
    print(f"{done.flips} flips, nothing wrong and nothing lost: {_told(done)}")


if __name__ == "__main__":
    main()
