"""`coord quorum …`: is a quorum system legal, what is it good for, and which one is best."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import attrs
import click

from coord.cli import figures, registers
from coord.quorums import QuorumError, QuorumSystem, excerpt, greatest_id, parse
from coord.quorums.decisions import decided
from coord.quorums.planning import (
    Assumptions,
    Delays,
    Objective,
    TooLargeError,
    analyse,
    look_ahead,
    plan,
)
from coord.quorums.planning.candidates import VOTERS_MAX

ROWS = 12
"""Lines of the table of `plan`, unless more are asked for."""
_HOURS = {"s": 1 / 3600, "m": 1 / 60, "h": 1.0, "d": 24.0}


@click.group()
def quorum() -> None:
    """Ask about quorum systems."""


def _hours(_context: click.Context, _option: click.Parameter, value: str) -> float:
    """Read a number with s, m, h or d; hours without."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd]?)", value)
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{excerpt(value)} is not a time: write 30d, 4h, 20m or 3s")
    return float(match[1]) * _HOURS[match[2] or "h"]


_replicas = click.option(
    "--replicas",
    type=click.IntRange(1, 255),
    help="Number of voters; by default the greatest id in TEXT, 3 if it names none.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
_p = click.option(
    "--p",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Probability that a replica is down.",
)
_mttf = click.option(
    "--mttf",
    default="30d",
    show_default=True,
    callback=_hours,
    help="Mean time to failure: 30d, 12h.",
)
_mttr = click.option(
    "--mttr", default="1h", show_default=True, callback=_hours, help="Mean time to repair."
)
_delays = click.option(
    "--delays",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with a matrix of one-way delays in ms; a replica's disk on the diagonal.",
)


@quorum.command()
@click.argument("text")
@_replicas
@_p
@_mttf
@_mttr
@_delays
@_json
def check(text: str, replicas: int | None, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """Say whether TEXT is a legal quorum system, and what it is good for.

    Exit status 1 when it is refused.
    """
    try:
        system = _system(text, replicas)
    except QuorumError as error:
        print(
            json.dumps({"accepted": False, "reason": str(error)})
            if as_json
            else f"refused: {error}"
        )
        sys.exit(1)
    assumptions = _assumptions(**given)
    try:
        analysis = analyse(system, assumptions)
    except TooLargeError:
        print(f"accepted: {system.text} over {len(system.members)} replicas, too many for figures")
        return
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        print(json.dumps({"accepted": True, **figures.record(analysis)}, indent=2))
        return
    print(f"accepted: {system.text} over {len(system.members)} replicas")
    figures.print_analysis(system, analysis, assumptions)


@quorum.command(name="plan")
@click.option("--replicas", required=True, type=click.IntRange(1, VOTERS_MAX))
@_delays
@_p
@_mttf
@_mttr
@click.option(
    "--objective",
    default="availability",
    show_default=True,
    type=click.Choice([objective.value for objective in Objective]),
    help="What the table is sorted by.",
)
@click.option("--all", "show_all", is_flag=True, help=f"Show more than {ROWS} lines.")
@_json
def plan_command(
    replicas: int,
    objective: str,
    show_all: bool,  # noqa: FBT001 - click passes options by name
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Compare quorum systems for so many replicas: those that no other beats in everything."""
    assumptions = _assumptions(**given)
    if assumptions.delays is not None and assumptions.delays.count != replicas:
        raise click.UsageError(
            f"--delays has {assumptions.delays.count} rows, for {replicas} replicas"
        )
    found = plan(replicas, assumptions, Objective(objective))
    if as_json:
        print(json.dumps([figures.record(analysis) for analysis in found], indent=2))
        return
    figures.print_plan(found if show_all else found[:ROWS], len(found), assumptions)


@quorum.command()
@click.argument("text")
@click.option("--down", required=True, help="Ids of replicas that are down: 2,5.")
@_replicas
@_json
def whatif(text: str, down: str, replicas: int | None, as_json: bool) -> None:  # noqa: FBT001
    """Say what an ensemble can still do with some replicas down, and which failure hurts next.

    Exit status 1 when nothing can be committed.
    """
    if not re.fullmatch(r"\s*|\d{1,3}(\s*,\s*\d{1,3})*", down):
        raise click.UsageError(f"--down {excerpt(down)}: write ids with commas between: 2,5")
    try:
        system = _system(text, replicas)
        outlook = look_ahead(system, map(int, re.findall(r"\d+", down)))
    except ValueError as error:
        print(f"refused: {error}", file=sys.stderr)
        sys.exit(2)
    if as_json:
        print(json.dumps(attrs.asdict(outlook), indent=2))
    else:
        figures.print_outlook(outlook)
    sys.exit(0 if outlook.now.commits else 1)


def _system(text: str, replicas: int | None) -> QuorumSystem:
    return parse(text, range(1, (replicas or greatest_id(text) or 3) + 1))


def _assumptions(p: float, mttf: float, mttr: float, delays: Path | None) -> Assumptions:
    measured = None if delays is None else read_delays(delays)
    return Assumptions(p=p, mttf_h=mttf, mttr_h=mttr, delays=measured)


def read_delays(path: Path) -> Delays:
    """Read a matrix: a line for each replica, numbers with spaces or commas between, # comments."""
    try:
        lines = [line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines()]
        rows = [
            tuple(map(float, re.split(r"[\s,]+", line.strip()))) for line in lines if line.strip()
        ]
        return Delays(tuple(rows))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path}: {error}") from None


@quorum.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_json
def explain(file: Path, as_json: bool) -> None:  # noqa: FBT001
    """Say what write-once registers decide: a state table and a quorum table in, decisions out.

    FILE is TOML. Under [registers] stands R0 = "- A _ ?", a word for each server: a value, - for
    nil, _ for unwritten, ? for not read. Under [quorums], R0 = "0*1 + 2*3" holds from that register
    set on. With owned = ["R0"], the register sets in which one client writes one value, there is
    also what a client may conclude from having read this. Exit status 1 when two values are
    decided.
    """
    try:
        scene = registers.read_scene(file)
    except registers.RegistersError as error:
        raise click.UsageError(str(error)) from None
    tables = {"contents": scene.contents}
    if scene.owned:
        tables["conclusions"] = scene.conclusions
    if as_json:
        record = {name: registers.as_record(scene.states, table) for name, table in tables.items()}
        print(json.dumps(record, indent=2))
    for name, table in tables.items():
        if not as_json:
            print({"contents": "by the registers:", "conclusions": "for who read them:"}[name])
            registers.print_scene(scene.states, table)
            print(registers.outcome(table))
    sys.exit(1 if len(decided(scene.contents)) > 1 else 0)
