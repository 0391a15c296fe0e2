"""Decision tables on the command line: of a file, and of the slots of a log."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coord.cli import slots
from coord.cli.quorum import quorum

MAJORITIES = "choose(2, 0, 1, 2)"
TALK = {
    "G1": (("- A A", "- A _"), {"R0": MAJORITIES}, ["{1,2} Yes A", "{1,2} Maybe A"], 0),
    "G2": (
        ("B B _ A", "- - A A", "A A _ _"),
        {"R0": "0*1*2*3", "R1": "0*1+2*3"},
        ["{0,1,2,3} No", "{2,3} Yes A", "{0,1} Yes A   {2,3} Any"],
        0,
    ),
    "G3": (
        ("- A A _", "C C A A"),
        {"R0": "0*1*2*3", "R1": "0*1+2*3"},
        ["{0,1} Yes C   {2,3} Yes A", "A and C are decided: a rule was broken"],
        1,
    ),
    "G4": (
        ("C A A", "B B A"),
        {"R0": MAJORITIES},
        ["{1,2} Yes A", "{0,1} Yes B", "A and B are decided: a rule was broken"],
        1,
    ),
}


def explain(tmp_path: Path, content: str, *options: str) -> Result:
    path = tmp_path / "registers.toml"
    path.write_text(content)
    return CliRunner().invoke(quorum, ["explain", str(path), *options])


def written(rows: tuple[str, ...], quorums: dict[str, str]) -> str:
    registers = "".join(f'R{number} = "{row}"\n' for number, row in enumerate(rows))
    starts = "".join(f'{name} = "{text}"\n' for name, text in quorums.items())
    return f"[registers]\n{registers}[quorums]\n{starts}"


@pytest.mark.parametrize("name", TALK)
def test_the_tables_of_the_talk_are_explained(tmp_path: Path, name: str) -> None:
    """AT-13, G1 to G4, on the command line."""
    rows, quorums, expected, status = TALK[name]
    done = explain(tmp_path, written(rows, quorums))
    assert done.exit_code == status
    for words in expected:
        assert words in done.output, done.output


def test_what_a_reader_may_conclude_is_shown_where_registers_have_owners(tmp_path: Path) -> None:
    content = 'owned = ["R0"]\n' + written(("A ? ?",), {"R0": MAJORITIES})
    done = explain(tmp_path, content)
    assert "{0,1} Maybe A   {0,2} Maybe A   {1,2} Any" in done.output
    assert "only A can be decided: it may be written next" in done.output
    found = json.loads(explain(tmp_path, content, "--json").output)
    assert found["contents"]["outcome"].startswith("more than one value")
    assert [item["decision"] for item in found["conclusions"]["quorums"][0]] == ["Maybe A"] * 3


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "[registers] and [quorums] are needed"),
        ("[registers", "Expected"),
        (written(("A A", "A"), {"R0": "0"}), "one word a server"),
        (written(("A A",), {"R0": "0*2"}), "names a server after S1"),
        (written(("A A",), {"R0": "0*"}), "is expected, not the end"),
        (written(("A A",), {"R0": "0)"}), "')' is too much"),
        (written(("A A",), {"R1": "0"}), "begins with R0"),
        (written(("A A",), {"0": "0"}), "'0' is no register set"),
        (written(("A A",), {"R0": "0"}).replace('R0 = "A', 'X0 = "A'), "R0 = "),
        ("colour = 1\n" + written(("A A",), {"R0": "0"}), "'colour': known are"),
        ("owned = 1\n" + written(("A A",), {"R0": "0"}), "a list is expected"),
        (written(("A " * 99,), {"R0": "0"}), "up to 64 servers"),
        (written(("A " * 40,), {"R0": f"choose(20,{','.join(map(str, range(40)))})"}), "too many"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    done = explain(tmp_path, content)
    assert done.exit_code == 2
    assert complaint in " ".join(done.output.split()), done.output


E1, E2, E3 = (1 << 16) | (1 << 8), (2 << 16) | (2 << 8), (3 << 16) | (1 << 8)


def replica(
    number: int, *, adopted: int, promised: int, entries: str, durable: int = 0
) -> slots.Row:
    return {
        "coord_replica": str(number),
        "coord_quorums": "majority",
        "coord_voters": "1 2 3",
        "coord_commit_index": "7",
        "coord_epoch": str(promised),
        "coord_adopted_epoch": str(adopted),
        "coord_durable_index": str(durable or max([7, *map(int, re.findall(r"(\d+):", entries))])),
        "coord_newest": entries,
        "server_state": "follower",
    }


def test_an_entry_that_one_replica_has_may_be_decided_and_nothing_else() -> None:
    """AT-14."""
    one = replica(1, adopted=E1, promised=E1, entries=f"8:{E1}")
    two = replica(2, adopted=E1, promised=E1, entries="")
    (slot,) = slots.uncommitted([one, two])
    assert slot.index == 8
    assert slot.registers == ({1: "1.1", 2: "_", 3: "?"},)
    assert {str(found) for row in slot.table for found in row.values()} == {"Maybe 1.1"}


def test_an_entry_that_a_later_leader_has_not_seen_can_no_more_be_decided() -> None:
    """AT-14: 2 and 3 went on without 1, and both hold nil in its epoch, as their promise says."""
    one = replica(1, adopted=E1, promised=E1, entries=f"8:{E1}")
    others = [replica(number, adopted=0, promised=E2, entries="", durable=7) for number in (2, 3)]
    (slot,) = slots.uncommitted([one, *others])
    assert slot.epochs == (E1, E2)
    assert slot.registers[0] == {1: "1.1", 2: "-", 3: "-"}
    assert {str(found) for found in slot.table[0].values()} == {"No"}
    assert {str(found) for found in slot.table[1].values()} == {"Any"}


def test_what_is_not_on_the_disk_is_not_written_and_what_was_adopted_carries_the_rest() -> None:
    one = replica(1, adopted=E3, promised=E3, entries=f"8:{E1} 9:{E3}", durable=8)
    two = replica(2, adopted=E3, promised=E3, entries=f"8:{E1} 9:{E3}")
    first, second = slots.uncommitted([one, two])
    assert first.registers == ({1: "1.1", 2: "1.1", 3: "?"},)
    assert str(first.table[0][0b110]) == "Yes 1.1"
    assert second.registers == ({1: "_", 2: "3.1", 3: "?"},)


def test_an_entry_that_a_replica_has_and_does_not_tell_is_unknown() -> None:
    one = replica(1, adopted=E1, promised=E1, entries=f"8:{E1} 9:{E1}")
    two = replica(2, adopted=E1, promised=E1, entries=f"9:{E1}")  # just restarted
    first, second = slots.uncommitted([one, two])
    assert first.registers == ({1: "1.1", 2: "?", 3: "?"},)
    assert second.registers == ({1: "1.1", 2: "1.1", 3: "?"},)


def test_committed_entries_observers_and_the_silent_are_left_out() -> None:
    assert slots.uncommitted([{"fault": "refused"}]) == []
    one = replica(1, adopted=E1, promised=E1, entries=f"6:{E1} 7:{E1}")
    assert slots.uncommitted([one]) == []
    watching = {
        **replica(2, adopted=E1, promised=E1, entries=f"8:{E1}"),
        "server_state": "observer",
    }
    assert slots.uncommitted([one, watching]) == []


def test_the_readmes_table_is_explained(tmp_path: Path) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    content = "[registers]" + readme.partition("[registers]")[2].partition("```")[0]
    assert "{1,2} Yes A" in explain(tmp_path, content).output
