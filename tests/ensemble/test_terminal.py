"""The commands at a terminal: the shell's prompt, and who gets Ctrl-C."""

import signal
import sys
from pathlib import Path

import pytest

from tests.ensemble.probe import Probe
from tests.ensemble.servers import Ensemble
from tests.ensemble.terminal import CTRL_C, CTRL_Z, TAB, Terminal, coord_in_terminal

COUNTING = """
import os, signal, sys
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"interrupted\\n"))
print("ready", sys.stdin.isatty(), flush=True)
for line in sys.stdin:
    print("read", line.strip(), flush=True)
    sys.exit(7)
"""


def test_the_prompt_completes_tells_events_and_keeps_its_lines(
    coord: Ensemble, base: str, tmp_path: Path
) -> None:
    with coord_in_terminal("shell", "--hosts", coord.hosts, home=tmp_path) as terminal:
        terminal.read_until(r"event: Connected")
        terminal.read_until("0>")
        terminal.type(f"create {base}/one{CTRL_C}")  # never carried out
        terminal.read_until("0>")
        terminal.type(f"create {base}/two first\n")
        terminal.read_until(rf"\n{base}/two")
        terminal.read_until("1>")
        terminal.type(f"get -w {base}/t{TAB}")
        terminal.read_until("wo")  # only what is new is written
        terminal.type("\n")
        terminal.read_until("first")
        terminal.read_until("2>")
        terminal.type("not done yet")  # an event is written above what is being typed
        terminal.read_until("not done yet")
        coord_probe(coord, f"{base}/two")
        terminal.read_until(f"event: NodeDataChanged {base}/two")
        terminal.read_until("2> ?not done yet")
        terminal.type(f"{CTRL_C}wat{TAB}")
        terminal.read_until("wat")
        terminal.read_until("ch")
        terminal.type(f" {base}/two\n")
        terminal.read_until("second")
        terminal.type(CTRL_C)  # ends the command, not the shell
        terminal.read_until("3>")
        terminal.type("addauth digest ann:secret\n")
        terminal.read_until("4>")
        terminal.process.send_signal(signal.SIGTERM)  # as Ctrl-D, whatever is being typed
        assert terminal.end() == 0
    kept = (tmp_path / "coord" / "shell_history").read_text()
    assert f"get -w {base}/two" in kept
    assert "secret" not in kept


def test_ctrl_c_reaches_a_locked_command_once_and_ctrl_z_stops_it_until_fg(
    coord: Ensemble, base: str, tmp_path: Path
) -> None:
    script = tmp_path / "counting.py"
    script.write_text(COUNTING)
    with Terminal("bash", "--norc", "--noprofile", "-i", home=tmp_path) as terminal:
        command = f"{sys.executable} -m coord lock --hosts {coord.hosts} {base}/lock -- "
        terminal.type(f"PS1=; {command} {sys.executable} -I -S {script}\n")
        terminal.read_until("ready True")
        terminal.type(CTRL_C)
        terminal.read_until("interrupted")
        terminal.type(CTRL_Z)
        terminal.read_until("Stopped")
        terminal.type("fg\n")
        terminal.type("a line\n")
        assert "interrupted" not in terminal.read_until("(?s).*read a line")[0]
        terminal.type("echo status $?\n")
        terminal.read_until("status 7")
        terminal.type("exit\n")
        terminal.end()


def coord_probe(ensemble: Ensemble, path: str) -> None:
    """Change a znode, as another client."""
    with Probe(ensemble.address(ensemble.leader())) as probe:
        probe.set(path, b"second")


@pytest.fixture
def ensemble(coord: Ensemble) -> Ensemble:
    """The tests of this module are about coord's commands, not about servers."""
    return coord
