"""`coord lock` while the hold is lost: the command ends before the deadline it was promised.

    python -m tests.ensemble.held --rounds 5 --session 4

The command writes down when it lives, every 5 ms, and takes no notice of SIGTERM. Both ends are
timed: when the servers could last have heard of the holder, and when the command last lived. Then
the next in the queue writes down when it began.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import attrs

from client.deadline import DRIFT, MARGIN, UNHEARD
from coord.cli.hold import GRACE_SHARE
from tests.ensemble.commands import ENVIRONMENT, ROOT
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble, Ensemble

PROVED_SHARE = 1 - DRIFT - MARGIN - UNHEARD["sync"]
"""For which share of the session timeout one proof is good."""
ENDS_WITHIN_S = 60.0
COMMAND = """
import os, signal, sys, time
notes = open(sys.argv[1], "a", buffering=1)
print("pid", os.getpid(), file=notes)
asked = []  # a handler must not print where it may interrupt a print
signal.signal(signal.SIGTERM, lambda *_: asked.append(time.monotonic()))
while True:
    while asked:
        print("term", asked.pop(), file=notes)
    print("lives", time.monotonic(), file=notes)
    time.sleep(0.005)
"""


@attrs.frozen
class Loss:
    """What became of one hold."""

    lost_at: float
    """When the servers could last have heard of the holder."""
    asked_at: float | None
    """When the command got SIGTERM; None: it did not."""
    ended_at: float
    """When the command last lived."""
    stood_still_s: float
    """The longest time in which the command, or the whole machine, did nothing."""
    next_at: float
    """When the next holder's command began."""
    status: int
    """The exit status of `coord lock`."""


class Holder:
    """A `coord lock` whose command writes down when it lives."""

    def __init__(self, hosts: str, session_s: float, notes: Path) -> None:
        self._notes = notes
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "coord", "lock", "--hosts", hosts),
                *("--session-timeout", str(session_s), "/held", "--"),
                *(sys.executable, "-I", "-S", "-c", COMMAND, str(notes)),
            ],
            cwd=ROOT,
            env=ENVIRONMENT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def times(self, what: str) -> list[float]:
        """When the command noted this; "pid": its process id."""
        text = self._notes.read_text() if self._notes.exists() else ""
        lines = [line.split() for line in text.splitlines()]
        return [float(line[1]) for line in lines if len(line) == 2 and line[0] == what]

    def wait_until_holding(self) -> float:
        """Wait until the command lives; when it began."""
        wait_for(lambda: self.times("lives"), seconds=ENDS_WITHIN_S, what="the command lives")
        return self.times("lives")[0]

    def command_has_ended(self) -> bool:
        """Whether the command is gone, or would be if somebody asked for its status."""
        try:
            status = Path(f"/proc/{self.times('pid')[0]:.0f}/stat").read_text()
        except FileNotFoundError:
            return True
        return status.rpartition(")")[2].split()[0] == "Z"

    def end(self) -> tuple[int, str]:
        """Wait for the end of `coord lock`: its status and what it said."""
        try:
            _, said = self.process.communicate(timeout=ENDS_WITHIN_S)
        finally:
            self.process.kill()
        return self.process.returncode, said

    def stop(self) -> None:
        """End it, and the command with it."""
        self.process.send_signal(signal.SIGUSR1)  # the command takes no notice of SIGTERM
        self.end()


def stop_all(ensemble: Ensemble, _holder: Holder) -> Callable[[], None]:
    """Stop every replica: connections stay open, and nothing is answered."""
    for replica in ensemble.ids:
        ensemble.pause(replica)
    return lambda: [ensemble.resume(replica) for replica in ensemble.ids] and None


def stop_quorum(ensemble: Ensemble, _holder: Holder) -> Callable[[], None]:
    """Stop all but one: it serves on and can prove nothing."""
    others = list(ensemble.ids)[1:]
    for replica in others:
        ensemble.pause(replica)
    return lambda: [ensemble.resume(replica) for replica in others] and None


def kill_all(ensemble: Ensemble, _holder: Holder) -> Callable[[], None]:
    """Kill every replica: connections break."""
    for replica in ensemble.ids:
        ensemble.kill(replica)
    return ensemble.start


def stop_holder(_ensemble: Ensemble, holder: Holder) -> Callable[[], None]:
    """Stop `coord lock` itself: it can notice nothing."""
    holder.process.send_signal(signal.SIGSTOP)
    return lambda: holder.process.send_signal(signal.SIGCONT)


def kill_holder(_ensemble: Ensemble, holder: Holder) -> Callable[[], None]:
    """Kill `coord lock` itself."""
    holder.process.send_signal(signal.SIGKILL)
    return lambda: None


LOSSES = {
    each.__name__: each for each in (stop_all, stop_quorum, kill_all, stop_holder, kill_holder)
}


def lose(ensemble: Ensemble, how: str, session_s: float, folder: Path) -> Loss:
    """Let one hold be lost while another waits for it."""
    with ExitStack() as stack:
        first = Holder(ensemble.hosts, session_s, folder / f"{time.monotonic_ns()}")
        stack.callback(first.process.kill)
        first.wait_until_holding()
        second = Holder(ensemble.hosts, session_s, folder / f"{time.monotonic_ns()}")
        stack.callback(second.stop)
        leader = ensemble.leader()
        wait_for(
            lambda: ensemble.ask(leader, "dump").count("/held/") == 2,
            seconds=ENDS_WITHIN_S,
            what="another waits for the lock",
        )
        lost_at = time.monotonic()
        mend = LOSSES[how](ensemble, first)
        stack.callback(mend)
        wait_for(first.command_has_ended, seconds=ENDS_WITHIN_S, what="the end of the command")
        mend()
        status, _said = first.end()
        asked = first.times("term")
        next_at = second.wait_until_holding()
    lived = first.times("lives")
    still_s = max((late - early for early, late in pairwise(lived)), default=0.0)
    return Loss(lost_at, asked[0] if asked else None, lived[-1], still_s, next_at, status)


def verify(how: str, session_s: float, loss: Loss) -> None:
    """AssertionError when the promise was not kept."""
    if how == "kill_holder":
        assert loss.ended_at < loss.lost_at + 0.1, loss
        assert loss.status == -signal.SIGKILL
    else:
        deadline = loss.lost_at + session_s * PROVED_SHARE
        assert loss.ended_at < deadline, f"{loss.ended_at - deadline:.3f} s too late: {loss}"
        # Not earlier than need be, either: a proof is at most T/6 old, and the grace comes first.
        earliest = deadline - session_s * (1 / 6 + GRACE_SHARE) - 0.1
        assert loss.ended_at > earliest, f"{earliest - loss.ended_at:.3f} s too early: {loss}"
        assert loss.asked_at is not None
        assert loss.status == 69, loss
    assert loss.next_at > loss.ended_at, loss


def main() -> None:
    """Lose holds in each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--session", type=float, default=4.0, help="session timeout in seconds")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--ways", nargs="*", choices=LOSSES, default=[*LOSSES])
    options = parser.parse_args()
    session_s: float = options.session
    with (
        tempfile.TemporaryDirectory() as name,
        CoordEnsemble(Path(name), options.replicas) as ensemble,
    ):
        for how in options.ways * options.rounds:
            loss = lose(ensemble, how, session_s, Path(name))
            verify(how, session_s, loss)
            asked = f"{loss.asked_at - loss.lost_at:.3f}" if loss.asked_at else "-"
            print(
                f"{how}: SIGTERM after {asked} s, ended after {loss.ended_at - loss.lost_at:.3f} s"
                f" of {session_s * PROVED_SHARE:.3f}, next holder after"
                f" {loss.next_at - loss.lost_at:.3f} s, status {loss.status}",
                flush=True,
            )
    print("every command ended before its deadline and before the next holder began")


if __name__ == "__main__":
    main()
