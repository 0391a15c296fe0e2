"""Processes on loopback: free ports, start, kill, pause, and waits that are bounded.

Every process dies with the thread that started it (PR_SET_PDEATHSIG): start servers from the
main thread, so that nothing outlives a test run that was itself killed.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import attrs

# Below the range from which the kernel takes ports for outgoing connections: a client that
# knocks at a dead server's port could otherwise be given that very port and talk to itself.
PORTS = range(12_000, 32_000)

POLL_S = 0.01
LAUNCHER = (
    "import ctypes, os, signal, sys\n"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)

T = TypeVar("T")

_reservations: list[socket.socket] = []


def wait_for(condition: Callable[[], T | None], *, seconds: float, what: str) -> T:
    """Ask until the answer is true, and return it; TimeoutError says what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s still not: {what}")
        time.sleep(POLL_S)


def reserve_ports(count: int) -> list[int]:
    """Free ports that no other run on this machine picks while this process lives."""
    ports: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if len(ports) == count:
            return ports
        if is_reserved(port):
            ports.append(port)
    raise RuntimeError(f"no {count} free ports in {PORTS}")


def is_reserved(port: int) -> bool:
    """Reserve a port, if it is free and nobody else has."""
    # An abstract Unix socket is a lock that the kernel releases with the process.
    claim = socket.socket(socket.AF_UNIX)
    with socket.socket() as trial:
        try:
            claim.bind(f"\0coord-test-port-{port}")
            trial.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            return False
    _reservations.append(claim)
    return True


def four_letter_word(address: tuple[str, int], word: str, *, seconds: float = 5.0) -> str:
    """Send a four-letter word, return the whole answer; OSError when nobody answers."""
    with socket.create_connection(address, timeout=seconds) as connection:
        connection.sendall(word.encode())
        answer = bytearray()
        while piece := connection.recv(65536):
            answer += piece
    return answer.decode()


@attrs.define
class Process:
    """One server process, which can be started again after it was killed."""

    command: Sequence[str]
    """Program and arguments."""
    folder: Path
    """Where it runs; its output goes to the file `output` there."""
    environment: Mapping[str, str] = attrs.field(factory=dict)
    """Added to this process's environment."""
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The process id; an error when it was never started."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended (a paused process runs)."""
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """What it has written so far to its standard output and error, over all its starts."""
        path = self.folder / "output"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it; it must not be running."""
        assert not self.running, "it runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", LAUNCHER, *self.command],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def signal(self, number: int) -> None:
        """Send it a signal; nothing happens when it has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until the kernel has buried it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)

    def terminate(self, *, seconds: float = 10.0) -> int:
        """SIGTERM, and return the exit status; TimeoutExpired when it does not end in time."""
        assert self._process is not None, "not started"
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
