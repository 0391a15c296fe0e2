"""The commands about quorum systems: what they print, their JSON and their exit status."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coord.cli.quorum import quorum

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
DELAYS = """\
# one-way, in ms; on the diagonal a replica's disk
0.5, 1,   40
1    0.5  40

40   40   0.5
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(quorum, arguments)


def test_an_unsafe_system_is_refused_with_the_witness() -> None:
    """AT-8."""
    done = run("check", "simple L=7 R=3", "--replicas", "10")
    assert done.exit_code == 1
    assert "election quorum {1, 2, 3, 4, 5, 6, 7} and replication quorum {8, 9, 10}" in done.output
    done = run("check", "simple L=7 R=3", "--replicas", "10", "--json")
    assert done.exit_code == 1
    assert "miss each other" in json.loads(done.output)["reason"]


def test_sizes_that_are_right_for_six_are_refused_for_seven() -> None:
    """AT-22 b: in the planner."""
    assert run("check", "simple L=4 R=3", "--replicas", "6").exit_code == 0
    assert run("check", "simple L=4 R=3", "--replicas", "7").exit_code == 1
    assert run("whatif", "simple L=4 R=3", "--replicas", "7", "--down", "1").exit_code != 0


def test_a_legal_system_is_accepted_with_its_figures() -> None:
    done = run("check", "simple L=8 R=3", "--replicas", "10")
    assert done.exit_code == 0
    for line in ("accepted: simple L=8 R=3 over 10", "copies at commit: 3", "slack: 0", "any 7"):
        assert line in done.output
    found = json.loads(run("check", "simple L=8 R=3", "--replicas", "10", "--json").output)
    assert (found["accepted"], found["copies"], found["fast"]) == (True, 3, 7)
    assert found["replication"]["resilience"] == 7
    assert found["replication"]["quorums"] == 120


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("majority", 3),
        ("grid [[1,2],[3,4]]", 4),
        ("weighted 1=9 2=1 R=9", 2),
        ("hierarchical [1=7,2] [3,4] [5]", 5),
        ("replication=(1+2)*(3+4)", 4),
        ("replication=choose(2, 1=9, 3)", 3),
        ("election=5 ", 5),
    ],
)
def test_the_number_of_voters_is_read_off_a_text_that_names_them(text: str, count: int) -> None:
    done = run("check", text)
    assert f"over {count} replicas" in done.output, done.output


def test_figures_of_too_many_different_replicas_are_left_out() -> None:
    weights = " ".join(f"{replica}={replica}" for replica in range(1, 40))
    done = run("check", f"weighted {weights} R=400")
    assert done.exit_code == 0
    assert "too many for figures" in done.output


def test_a_plan_is_a_table_or_json_sorted_by_the_objective() -> None:
    done = run("plan", "--replicas", "4")
    assert done.exit_code == 0
    assert done.output.splitlines()[1].split()[:2] == ["majority", "even"]
    found = json.loads(run("plan", "--replicas", "4", "--objective", "load", "--json").output)
    loads = [analysis["replication"]["load"] for analysis in found]
    assert loads == sorted(loads)


def test_delays_are_a_matrix_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "delays.txt"
    path.write_text(DELAYS)
    done = run("plan", "--replicas", "3", "--delays", str(path), "--objective", "latency", "--json")
    found = {analysis["text"]: analysis for analysis in json.loads(done.output)}
    assert found["majority"]["commit_wait"] == pytest.approx((2.5 + 2.5 + 80.5) / 3)
    assert "commit ms" in run("plan", "--replicas", "3", "--delays", str(path)).output


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("1 2\n", "as long as"), ("a b\nc d\n", "could not convert"), ("", "as long"), ("-1", "0 or")],
)
def test_a_file_that_is_no_matrix_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "delays.txt"
    path.write_text(content)
    done = run("plan", "--replicas", "3", "--delays", str(path))
    assert done.exit_code == 2
    assert complaint in done.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("plan", "--replicas", "13"), "13"),
        (("plan", "--replicas", "3", "--mttf", "soon"), "'soon' is not a time"),
        (("plan", "--replicas", "3", "--p", "1"), "1"),
        (("whatif", "majority", "--down", "two"), "write ids"),
        (("check", "majority", "--replicas", "0"), "0"),
    ],
)
def test_a_bad_option_is_named(arguments: tuple[str, ...], complaint: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert complaint in done.output


def test_what_if_says_what_goes_on_and_what_the_next_failure_stops() -> None:
    done = run("whatif", "grid [[1,2],[3,4]]", "--down", "4")
    assert done.exit_code == 0
    assert "if 1 fails too, this stops: commits, reads" in done.output
    assert "if 2 fails too, this stops: elections" in done.output
    done = run("whatif", "grid [[1,2],[3,4]]", "--down", "3,4")
    assert done.exit_code == 1
    assert "no, it needs 3 or 4" in done.output
    found = json.loads(run("whatif", "majority", "--down", "1", "--json").output)
    assert found["now"] == {"commits": True, "reads": True, "elects": True}
    assert run("whatif", "majority", "--down", "9").exit_code == 2
    assert "not among the voters" in run("whatif", "majority", "--down", "9").output


def test_the_readmes_delays_give_the_figures_that_stand_below_them(tmp_path: Path) -> None:
    path = tmp_path / "delays.txt"
    path.write_text(README.partition("# two sites, 20 ms apart\n")[2].partition("```")[0])
    sentence = README.partition("With it, ")[2].partition(" with either")[0]
    for text in ("majority", "simple L=4 R=2"):
        assert f"`{text}`" in sentence
        done = run("check", text, "--replicas", "5", "--delays", str(path), "--json")
        found = json.loads(done.output)
        assert f"in {found['commit_wait']:.3g} ms" in sentence
        assert f"for {found['failover_wait']:.3g} ms" in sentence
