"""Ensembles of real server processes: coord's replicas, and Debian's ZooKeeper to compare with."""

import contextlib
import shutil
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from coord.quorums import parse
from tests.ensemble.processes import Process, four_letter_word, reserve_ports, wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
ZOOKEEPER_JAR = Path("/usr/share/java/zookeeper.jar")
START_SECONDS = 30.0

# The four-letter words that coord answers; ZooKeeper is told to answer the same.
WORDS = ("ruok", "srvr", "stat", "mntr", "conf", "envi", "isro", "cons", "wchs", "dump")

# Functional tests run a few short requests: no time for the optimising compiler to pay off.
JVM_QUICK = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
# As one would run it: a 512 MB heap and the defaults of the virtual machine.
JVM_BENCHMARK = ("-Xms512m", "-Xmx512m")


def zookeeper_missing() -> str | None:
    """Why no ZooKeeper can be started here, or None."""
    if shutil.which("java") is None:
        return "no ZooKeeper to compare with: java is not installed"
    if not ZOOKEEPER_JAR.exists():
        return "no ZooKeeper to compare with: the Debian package libzookeeper-java is not installed"
    return None


class Ensemble(ABC):
    """Replicas with ids from 1, one process each, on loopback; a context that leaves nothing."""

    kind: str
    """What the servers are: coord or zookeeper."""

    def __init__(self, folder: Path, size: int, *, tick_ms: int) -> None:
        self.folder = folder
        self.ids = range(1, size + 1)
        self.tick_ms = tick_ms
        self._last_leader = 0
        ports = reserve_ports(3 * size)
        self.client_ports = dict(zip(self.ids, ports[:size], strict=True))
        self.peer_ports = dict(zip(self.ids, ports[size : 2 * size], strict=True))
        self.spare_ports = dict(zip(self.ids, ports[2 * size :], strict=True))
        self.processes = {i: Process(self.command(i), folder / str(i)) for i in self.ids}
        for i in self.ids:
            self.processes[i].environment = self.environment()

    @abstractmethod
    def command(self, replica: int) -> Sequence[str]:
        """The command line of a replica; writes its configuration."""

    def environment(self) -> dict[str, str]:
        """What a replica's environment needs besides this process's own."""
        return {}

    @property
    def hosts(self) -> str:
        """A connection string with every replica."""
        return self.hosts_of(self.ids)

    def hosts_of(self, replicas: Iterable[int]) -> str:
        """A connection string with these replicas."""
        return ",".join(f"127.0.0.1:{self.client_ports[i]}" for i in replicas)

    def address(self, replica: int) -> tuple[str, int]:
        """Where a replica takes clients."""
        return "127.0.0.1", self.client_ports[replica]

    @property
    def pids(self) -> list[int]:
        """The process ids of the replicas that run."""
        return [p.pid for p in self.processes.values() if p.running]

    def cpu_seconds(self) -> float:
        """Processor time of all replicas that run."""
        return sum(p.cpu_seconds() for p in self.processes.values() if p.running)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every replica that does not run, and wait until all serve."""
        for process in self.processes.values():
            if not process.running:
                process.start()
        self.wait_until_serving(self.ids)

    def stop(self) -> None:
        """Kill what runs."""
        for process in self.processes.values():
            process.kill()

    def ask(self, replica: int, word: str) -> str:
        """The answer to a four-letter word; empty when nobody answers."""
        try:
            return four_letter_word(self.address(replica), word)
        except OSError:
            return ""

    def mode(self, replica: int) -> str | None:
        """The role that srvr tells (standalone, leader, follower, observer); None when none."""
        if not self.processes[replica].running:
            return None
        lines = self.ask(replica, "srvr").splitlines()
        return next((line[6:] for line in lines if line.startswith("Mode: ")), None)

    def metrics(self, replica: int) -> dict[str, str]:
        """What mntr tells."""
        pairs = (line.partition("\t") for line in self.ask(replica, "mntr").splitlines())
        return {key: value for key, tab, value in pairs if tab}

    def wait_until_serving(
        self, replicas: Iterable[int], *, seconds: float = START_SECONDS
    ) -> None:
        """Wait until these replicas serve and one of the ensemble leads."""
        for i in replicas:

            def serves(replica: int = i) -> bool:
                process = self.processes[replica]
                if not process.running:
                    raise RuntimeError(
                        f"replica {replica} ended with {process.status}:\n{process.output[-3000:]}"
                    )
                return self.mode(replica) not in (None, "read-only")

            wait_for(serves, seconds=seconds, what=f"replica {i} serves")
        self.leader(seconds=seconds)

    def leader(self, *, seconds: float = START_SECONDS) -> int:
        """The id of the replica that leads; waits for one."""
        return wait_for(self.leader_nowait, seconds=seconds, what="a leader")

    def leader_nowait(self) -> int | None:
        """The id of a replica that says that it leads, or None; asks the last one first."""
        ids = sorted(self.ids, key=lambda i: i != self._last_leader)
        leader = next((i for i in ids if self.mode(i) in ("leader", "standalone")), None)
        self._last_leader = leader or 0
        return leader

    def followers(self) -> list[int]:
        """The ids of the other replicas that run."""
        leader = self.leader()
        return [i for i in self.ids if i != leader and self.processes[i].running]

    def goes_on_without(self, replicas: Iterable[int]) -> bool:
        """Whether the others can elect, and commit, while these are gone."""
        return 2 * len(set(self.ids) - set(replicas)) > len(self.ids)

    def kill(self, replica: int) -> None:
        """SIGKILL."""
        self.processes[replica].kill()

    def restart(self, replica: int, *, wait: bool = True) -> None:
        """Start a replica that was killed."""
        self.processes[replica].start()
        if wait:
            self.wait_until_serving([replica])

    def pause(self, replica: int) -> None:
        """SIGSTOP: the process stands still, its connections stay open."""
        self.processes[replica].signal(signal.SIGSTOP)

    def resume(self, replica: int) -> None:
        """SIGCONT."""
        self.processes[replica].signal(signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self, replica: int) -> Iterator[None]:
        """A scope in which a replica stands still."""
        self.pause(replica)
        try:
            yield
        finally:
            self.resume(replica)


class ZooKeeperEnsemble(Ensemble):
    """Apache ZooKeeper as Debian packages it; one server runs standalone."""

    kind = "zookeeper"

    def __init__(
        self,
        folder: Path,
        size: int = 3,
        *,
        tick_ms: int = 1000,
        jvm: Sequence[str] = JVM_QUICK,
    ) -> None:
        self.jvm = jvm
        super().__init__(folder, size, tick_ms=tick_ms)

    def command(self, replica: int) -> Sequence[str]:
        """Write zoo.cfg and myid; the fourth port of a server is its election port."""
        folder = self.folder / str(replica)
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        settings = {
            "dataDir": data,
            "clientPort": self.client_ports[replica],
            "clientPortAddress": "127.0.0.1",
            "tickTime": self.tick_ms,
            "initLimit": 20,
            "syncLimit": 10,
            "maxClientCnxns": 0,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": ",".join(WORDS),
        }
        lines = [f"{key}={value}" for key, value in settings.items()]
        if len(self.ids) > 1:
            (data / "myid").write_text(str(replica))
            lines += [
                f"server.{i}=127.0.0.1:{self.peer_ports[i]}:{self.spare_ports[i]}" for i in self.ids
            ]
        (folder / "zoo.cfg").write_text("\n".join(lines) + "\n")
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        return ["java", *self.jvm, "-cp", str(ZOOKEEPER_JAR), main, str(folder / "zoo.cfg")]


class CoordEnsemble(Ensemble):
    """coord, one `coord serve` process a replica."""

    kind = "coord"

    def __init__(
        self,
        folder: Path,
        size: int = 3,
        *,
        tick_ms: int = 1000,
        quorums: str = "majority",
        wrapper: Callable[[int], Sequence[str]] = lambda replica: (),
    ) -> None:
        self.quorums = quorums
        self.wrapper = wrapper
        super().__init__(folder, size, tick_ms=tick_ms)

    def goes_on_without(self, replicas: Iterable[int]) -> bool:
        """By the quorum system."""
        system, others = parse(self.quorums, self.ids), set(self.ids) - set(replicas)
        return system.is_election_quorum(others) and system.is_replication_quorum(others)

    def environment(self) -> dict[str, str]:
        """The replica runs in its own folder and must still find the package."""
        return {"PYTHONPATH": str(REPOSITORY)}

    def command(self, replica: int) -> Sequence[str]:
        """Write the TOML file."""
        folder = self.folder / str(replica)
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f"id = {replica}",
            f'data_dir = "{folder / "data"}"',
            f'client_address = "127.0.0.1:{self.client_ports[replica]}"',
            f"tick_ms = {self.tick_ms}",
            f'quorums = "{self.quorums}"',
        ]
        for i in self.ids:
            lines += [
                "",
                "[[replicas]]",
                f"id = {i}",
                f'peer = "127.0.0.1:{self.peer_ports[i]}"',
                f'client = "127.0.0.1:{self.client_ports[i]}"',
                'role = "voter"',
            ]
        config = folder / "coord.toml"
        config.write_text("\n".join(lines) + "\n")
        return [*self.wrapper(replica), sys.executable, "-m", "coord", "serve", str(config)]
