"""Tables of what is known about quorum systems, for people and as records for programs."""

from collections.abc import Sequence
from itertools import islice
from math import isinf
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

from coord.quorums import QuorumSystem
from coord.quorums.expression import Expression, replicas_of
from coord.quorums.minimal import TooManyQuorumsError, minimal_quorums
from coord.quorums.planning import Analysis, Assumptions, Outlook

TABLE_WIDTH = 110
"""Columns that the tables need; a narrow terminal wraps them, nothing is cut."""
SETS_SHOWN = 4
"""So many sets stand for all where there are more."""


def record(analysis: Analysis) -> dict[str, Any]:
    """Return all figures under their names; what is infinite is null."""
    figures = attrs.asdict(analysis)
    for side, of in (("election", analysis.election), ("replication", analysis.replication)):
        figures[side]["capacity"] = of.capacity
    figures["copies"] = analysis.copies
    return {key: None if value == float("inf") else value for key, value in figures.items()}


def print_analysis(system: QuorumSystem, analysis: Analysis, assumptions: Assumptions) -> None:
    """Print the two sides beside each other, then what concerns both."""
    table = Table(box=None)
    for heading in ("", "election", "replication"):
        table.add_column(heading)
    sides = (analysis.election, analysis.replication)
    rows: list[tuple[str, list[str]]] = [
        ("minimal quorums", [str(side.quorums) for side in sides]),
        ("for example", [_examples(side) for side in (system.elects, system.replicates)]),
        ("smallest", [str(side.smallest) for side in sides]),
        ("any so many may be down", [str(side.resilience) for side in sides]),
        (
            "stops when these are down",
            [_examples(s.dual()) for s in (system.elects, system.replicates)],
        ),
        ("load of the busiest", [f"{side.load:.3f}" for side in sides]),
        ("capacity", [f"{side.capacity:.2f}" for side in sides]),
        (f"unavailable, p={assumptions.p:g}", [f"{side.unavailable:.2g}" for side in sides]),
    ]
    for name, cells in rows:
        table.add_row(name, *cells)
    console = _console()
    console.print(table)
    unit = _unit(assumptions)
    console.print(f"copies at commit: {analysis.copies}")
    console.print(
        f"slack: {analysis.slack} (so many disks may forget unnoticed, and quorums still meet)"
    )
    console.print(f"legal fast quorums: any {analysis.fast} voters or more")
    console.print(f"commit waits {analysis.commit_wait:.3g} {unit}, {_failover(analysis, unit)}")
    console.print(f"without service {analysis.downtime_min:.3g} minutes a year")


def print_plan(found: Sequence[Analysis], total: int, assumptions: Assumptions) -> None:
    """Print one line a system."""
    table = Table(box=None)
    table.add_column("quorums", no_wrap=False, max_width=44)
    unit = "ms" if assumptions.delays is not None else "x"
    for heading in (
        "no commit",
        "no election",
        "min/year",
        f"commit {unit}",
        f"fail-over {unit}",
        "load",
        "capacity",
        "may fail",
    ):
        table.add_column(heading, justify="right")
    for analysis in found:
        table.add_row(
            analysis.text,
            f"{analysis.replication.unavailable:.1e}",
            f"{analysis.election.unavailable:.1e}",
            f"{analysis.downtime_min:.3g}",
            f"{analysis.commit_wait:.3g}",
            "not always" if isinf(analysis.failover_wait) else f"{analysis.failover_wait:.3g}",
            f"{analysis.replication.load:.3f}",
            f"{analysis.replication.capacity:.2f}",
            f"{analysis.replication.resilience}/{analysis.election.resilience}",
        )
    console = _console()
    console.print(table)
    if len(found) < total:
        console.print(f"{total - len(found)} more with --all")
    if assumptions.delays is None:
        console.print(
            "x: in mean delays of a reply, which are random; measure yours: --delays FILE"
        )
    console.print(
        "may fail: so many, whichever they are, while a leader commits / while one can be elected"
    )


def print_outlook(outlook: Outlook) -> None:
    """Print what is possible, what is missing, and the next failures."""
    now = outlook.now
    console = _console()
    rows = [
        ("a leader that is up commits", now.commits, outlook.missing_for_commits),
        ("it confirms reads", now.reads, outlook.missing_for_commits),
        ("a candidate is elected", now.elects, outlook.missing_for_elections),
        (
            "a leader that is down is replaced",
            now.replaces,
            outlook.missing_for_elections or outlook.missing_for_commits,
        ),
    ]
    listed = ", ".join(map(str, outlook.down)) or "nobody"
    console.print(f"{outlook.text}, down: {listed}")
    table = Table(box=None, show_header=False)
    for name, is_possible, missing in rows:
        table.add_row(name, "yes" if is_possible else f"no, it needs {missing}")
    console.print(table)
    if not outlook.next_failures:
        console.print("no single further failure stops anything more")
    for failure in outlook.next_failures:
        console.print(f"if {failure.replica} fails too, this stops: {', '.join(failure.stops)}")


def _examples(expression: Expression) -> str:
    """A few minimal quorums, in words."""
    try:
        masks = list(islice(minimal_quorums(expression), SETS_SHOWN + 1))
    except TooManyQuorumsError:
        return "too many to list"
    sets = [f"{{{','.join(map(str, replicas_of(mask)))}}}" for mask in masks[:SETS_SHOWN]]
    return " ".join(sets) + (" …" if len(masks) > SETS_SHOWN else "")


def _unit(assumptions: Assumptions) -> str:
    return "mean reply delays" if assumptions.delays is None else "ms"


def _failover(analysis: Analysis, unit: str) -> str:
    if isinf(analysis.failover_wait):
        return "not every leader that is gone can be replaced before it is back"
    return f"a new leader {analysis.failover_wait:.3g} {unit} after the silence that calls for it"


def _console() -> Console:
    console = Console(highlight=False, markup=False)
    console.width = max(console.width, TABLE_WIDTH)
    return console
