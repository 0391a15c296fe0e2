"""The README's examples, run as they stand there, by `coord dev -- COMMAND`."""

import re
import sys
from pathlib import Path

import pytest

import client.testing
from tests.ensemble.commands import ROOT, coord, dev_port

README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
EXPECTED = ("holding, fencing token ", "the leader is b'10.0.0.1:8080'", "Settings(rate=2.5)")


@pytest.mark.parametrize(("place", "expected"), list(enumerate(EXPECTED)))
def test_an_example_prints_what_it_promises(tmp_path: Path, place: int, expected: str) -> None:
    program = tmp_path / "example.py"
    program.write_text(EXAMPLES[place])
    port = str(dev_port(1))
    done = coord("dev", "--replicas", "1", "--port", port, "--", sys.executable, str(program))
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected in done.stdout


def test_each_example_is_about_ten_lines_long() -> None:
    assert len(EXAMPLES) == len(EXPECTED)
    for example in EXAMPLES:
        assert sum(bool(line.strip()) for line in example.splitlines()) <= 12


def test_what_stands_beside_kazoo_is_there() -> None:
    page = README.partition("## From kazoo")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[1] for line in page.splitlines() if line.startswith("| `")]
    named = set(re.findall(r"\bzk\.(\w+)\(", "".join(rows)))
    assert len(named) > 20
    assert not {name for name in named if not hasattr(client.Client, name)}
    assert callable(client.testing.ensemble)
