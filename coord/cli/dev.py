"""`coord dev`: a whole ensemble on loopback, one process for each replica."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

import coord
from coord.cli.words import monitor
from coord.quorums import QuorumError, excerpt, parse

SERVES_WITHIN_S = 30.0
"""After this the ensemble is given up; it usually serves within one second."""
ENDS_WITHIN_S = 5.0
"""A replica that takes longer to end is killed."""
PEER_PORT_OFFSET = 2888 - 2181
"""Peer ports follow the client ports at ZooKeeper's usual distance."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--replicas", default=3, show_default=True, type=click.IntRange(1, 15))
@click.option("--quorums", default="majority", show_default=True, help="Text of a quorum system.")
@click.option("--data", type=click.Path(path_type=Path), help="Keep the data in this folder.")
@click.option("--port", default=2181, show_default=True, type=click.IntRange(1, 64000))
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def dev(
    replicas: int, quorums: str, data: Path | None, port: int, command: tuple[str, ...]
) -> None:
    """Run an ensemble on loopback; with COMMAND, only as long as that runs.

    COMMAND finds the addresses in COORD_HOSTS; its exit status is this one's.
    """
    try:
        parse(quorums, range(1, replicas + 1))
    except QuorumError as error:
        _refuse(f"--quorums {excerpt(quorums)}: {error}")
    for number in (*_ports(port, replicas), *_ports(port + PEER_PORT_OFFSET, replicas)):
        if not _is_free(number):
            _refuse(f"port {number} on 127.0.0.1 is in use; choose other ports with --port")
    with _folder(data) as folder, _Signals() as signals:
        status = 0
        ensemble = _Ensemble(folder, replicas, quorums, port)
        try:
            ensemble.start(signals)
            status = _attend(ensemble, command, signals)
        except _EndedError as ended:
            status = 128 + ended.number if command else 0
        finally:
            ensemble.stop()
    sys.exit(status)


class _EndedError(Exception):
    """A signal asks for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Ensemble:
    """The processes of the replicas."""

    def __init__(self, folder: Path, replicas: int, quorums: str, port: int) -> None:
        self._folder = folder
        self._quorums = quorums
        self._client_ports = _ports(port, replicas)
        self._peer_ports = _ports(port + PEER_PORT_OFFSET, replicas)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.hosts = ",".join(f"127.0.0.1:{number}" for number in self._client_ports)

    def start(self, signals: "_Signals") -> None:
        """Start all replicas and wait until the ensemble serves."""
        for place in range(len(self._client_ports)):
            path = self._folder / f"replica-{place + 1}.toml"
            path.write_text(self._config(place + 1), encoding="utf-8")
            self._processes.append(
                subprocess.Popen(
                    # -P: the coord that is installed, not sources in the present folder.
                    [sys.executable, "-P", "-m", "coord", "serve", str(path)],
                    env=os.environ | {"PYTHONPATH": _python_path()},
                    start_new_session=True,
                )
            )
        deadline = time.monotonic() + SERVES_WITHIN_S
        with signals.raised():
            while not all(_serves(port) for port in self._client_ports):
                self.check()
                if time.monotonic() > deadline:
                    _refuse(f"the ensemble did not serve within {SERVES_WITHIN_S:.0f} s")
                time.sleep(0.05)

    def check(self) -> None:
        """Give up when a replica has ended by itself; it has said why."""
        for place, process in enumerate(self._processes, 1):
            if process.poll() is not None:
                self.stop()
                _refuse(f"replica {place} ended with status {process.returncode}")

    def wait(self) -> None:
        """Until a signal comes; a replica that ends is reported and left alone."""
        reported: set[int] = set()
        while len(reported) < len(self._processes):
            for place, process in enumerate(self._processes, 1):
                if process.poll() is not None and place not in reported:
                    reported.add(place)
                    print(f"replica {place} ended with status {process.returncode}", flush=True)
            time.sleep(0.2)

    def stop(self) -> None:
        """End all replicas, at once when another signal comes; none is left behind."""
        for number in _SIGNALS:
            signal.signal(number, self._kill)
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + ENDS_WITHIN_S
        for process in self._processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _kill(self, _signal: int, _frame: object) -> None:
        for process in self._processes:
            process.kill()

    def processes(self) -> str:
        """Process ids for people who want to kill one."""
        return ", ".join(
            f"replica {place}: pid {process.pid}"
            for place, process in enumerate(self._processes, 1)
        )

    def _config(self, own: int) -> str:
        lines = [
            f"id = {own}",
            f"data_dir = {_quoted(str((self._folder / f'replica-{own}').resolve()))}",
            f"quorums = {_quoted(self._quorums)}",
        ]
        for place, (client, peer) in enumerate(
            zip(self._client_ports, self._peer_ports, strict=True), 1
        ):
            lines += [
                "",
                "[[replicas]]",
                f"id = {place}",
                f'peer = "127.0.0.1:{peer}"',
                f'client = "127.0.0.1:{client}"',
            ]
        return "\n".join(lines) + "\n"


def _attend(ensemble: _Ensemble, command: tuple[str, ...], signals: "_Signals") -> int:
    if command:
        environment = os.environ | {"COORD_HOSTS": ensemble.hosts}
        try:
            process = subprocess.Popen(command, env=environment)
        except OSError as error:
            print(f"coord: {command[0]}: {error.strerror}", file=sys.stderr)
            return 127
        try:
            with signals.raised():
                status = process.wait()
        except _EndedError as ended:
            process.send_signal(ended.number)
            with signals.raised():
                status = process.wait()
        return status if status >= 0 else 128 - status
    program = "coord" if shutil.which("coord") else f"{sys.executable} -m coord"
    print(
        f"Serving on {ensemble.hosts}\n"
        f"({ensemble.processes()})\n"
        "Try, in another terminal:\n"
        f"  {program} status --hosts {ensemble.hosts}\n"
        f"  {program} shell --hosts {ensemble.hosts} -- create /hello world\n"
        f"  {program} shell --hosts {ensemble.hosts} -- get /hello\n"
        "Any ZooKeeper client can use these addresses. Ctrl-C ends the ensemble.",
        flush=True,
    )
    with signals.raised():
        ensemble.wait()
    return 1


def _refuse(sentence: str) -> None:
    print(f"coord: {sentence}", file=sys.stderr)
    sys.exit(2)


def _python_path() -> str:
    """Return where replicas find the coord that this process runs, before all else."""
    own = str(Path(coord.__file__).resolve().parents[1])
    inherited = os.environ.get("PYTHONPATH")
    return own if not inherited else os.pathsep.join((own, inherited))


def _ports(first: int, count: int) -> list[int]:
    return list(range(first, first + count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _serves(port: int) -> bool:
    try:
        return monitor("127.0.0.1", port).get("coord_serving") == "1"
    except OSError:
        return False


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is None:
        with tempfile.TemporaryDirectory(prefix="coord-dev-") as made:
            yield Path(made)
    else:
        data.mkdir(parents=True, exist_ok=True)
        yield data


class _Signals:
    """SIGINT, SIGTERM and SIGHUP: they end the ensemble instead of leaving it behind.

    They are raised only where everything that was started is known, and only one at a time: several
    may come at once, and the second must not break off what the first one began.
    """

    def __init__(self) -> None:
        self._are_raised = False
        self._noted = 0
        """The one that came last and was not raised; 0: none."""

    def __enter__(self) -> "_Signals":
        self._before = {number: signal.signal(number, self._come) for number in _SIGNALS}
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def raised(self) -> Iterator[None]:
        """In this block a signal raises _EndedError, also one that came since the last block."""
        self._are_raised = True
        try:
            if self._noted:
                self._come(self._noted, None)
            yield
        finally:
            self._are_raised = False

    def _come(self, number: int, _frame: FrameType | None) -> None:
        if self._are_raised:
            self._are_raised = False
            self._noted = 0
            raise _EndedError(number)
        self._noted = number
