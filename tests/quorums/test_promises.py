"""What promises tell about earlier epochs, against brute force over all that they leave open."""

import random
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, product

import pytest

from coord.quorums.decisions import (
    QuorumTable,
    client_table,
    decided,
    promised,
    verdict,
)
from coord.quorums.expression import mask_of
from tests.quorums.test_decisions import MAJORITIES, Shape, quorum_table

Report = tuple[int, str] | None
"""Epoch and value of what a promiser has accepted last; None for nothing."""
Outcome = tuple[str, bool]
"""Of an epoch: its leader's value, or "" where nobody holds it, and whether that is decided."""


@lru_cache(None)
def outcomes(known: int, value: str, is_open: int, quorums: tuple[int, ...]) -> set[Outcome]:
    """All that can become of an epoch in which some hold a value and others may or may not."""
    found: set[Outcome] = set()
    held = is_open
    while True:  # over all subsets of those that are open
        holders = known | held
        is_decided = any(quorum & holders == quorum for quorum in quorums)
        found.update((v, is_decided) for v in ((value or "AB") if holders else ("",)))
        if not held:
            return found
        held = (held - 1) & is_open


def decidable(
    count: int, epoch: int, reports: dict[int, Report], quorums: QuorumTable
) -> set[str] | None:
    """The values that may be decided before an epoch, by all completions that break no rule.

    Rules: an epoch has one leader, and so one value; who wrote it had made sure that no other one
    was decided before. None when no completion keeps them: nobody can have been told this.
    """
    possible: set[frozenset[str]] = {frozenset()}
    for number in range(epoch):
        accepted = {s: r[1] for s, r in reports.items() if r is not None and r[0] == number}
        empty = {s for s, r in reports.items() if r is None or r[0] < number}
        values = set(accepted.values())
        if len(values) > 1:
            return None
        known, is_open = mask_of(accepted), mask_of({*range(count)} - empty - {*accepted})
        possible = {
            before | ({value} if is_decided else set())
            for before in possible
            for value, is_decided in outcomes(
                known, next(iter(values), ""), is_open, quorums.quorums(number)
            )
            if not value or before <= {value}
        }
    return set().union(*possible) if possible else None


def all_reports(count: int, epoch: int) -> Iterator[dict[int, Report]]:
    """Every set of promisers with everything that each may report."""
    each: list[Report | str] = ["silent", None, *product(range(epoch), "AB")]
    for drawn in product(each, repeat=count):
        yield {server: r for server, r in enumerate(drawn) if r != "silent"}  # type: ignore[misc]


def check(count: int, epoch: int, reports: dict[int, Report], quorums: QuorumTable) -> bool:
    """Compare what a candidate may propose with brute force; tell whether there was a case."""
    possible = decidable(count, epoch, reports, quorums)
    if possible is None:
        return False
    table = client_table(promised(epoch, reports), quorums, frozenset(range(epoch)))
    found = verdict(table, epoch)
    for value in "AB":
        if found.allows(value):
            assert possible <= {value}, (reports, found, possible)
        elif not decided(table):  # who sees a decision needs no proposal
            assert not possible <= {value}, (reports, found, possible)
    return True


SHAPES: list[Shape] = [
    MAJORITIES,
    {0: "01 2"},
    {0: "012", 2: "0 12"},
    {0: "0 1", 1: "02"},
    {0: "0 1 2", 1: "012"},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_three_servers_promise_what_brute_force_says(shape: Shape) -> None:
    """AT-15, A (across phases), B (earlier epochs only) and C (since the newest report): epochs
    up to 3 in full.
    """
    quorums = quorum_table(shape)
    for epoch in range(1, 4):
        assert sum(check(3, epoch, reports, quorums) for reports in all_reports(3, epoch)) > 20


def test_four_servers_promise_what_brute_force_says() -> None:
    """AT-15, epochs up to 4, and a quorum table that is drawn anew for each case."""
    chance = random.Random(15)
    sets = [mask_of(c) for size in (1, 2, 3, 4) for c in combinations(range(4), size)]
    cases = 0
    for _ in range(1500):
        epoch = chance.randint(1, 4)
        each: list[Report | str] = ["silent", None, *product(range(epoch), "AB")]
        drawn = [chance.choice((chance.choice(each[:2]), chance.choice(each))) for _ in range(4)]
        reports = {server: r for server, r in enumerate(drawn) if r != "silent"}
        table = QuorumTable(
            tuple((n, tuple(chance.sample(sets, chance.randint(1, 3)))) for n in range(epoch))
        )
        cases += check(4, epoch, reports, table)  # type: ignore[arg-type]
    assert cases > 500


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_recovery_knows_what_to_propose_exactly_when_the_quorums_meet(count: int) -> None:
    """AT-16, the classic round: for all L and R, whatever an election quorum reports."""
    for election, replication in product(range(1, count + 1), repeat=2):
        sets = tuple(mask_of(chosen) for chosen in combinations(range(count), replication))
        quorums = QuorumTable(((0, sets),))
        knows = []
        for reported in product((None, (0, "A")), repeat=election):
            states = promised(1, dict(enumerate(reported)))
            found = verdict(client_table(states, quorums, frozenset({0})), 1)
            knows.append(found.is_free or found.values == ("A",))
        assert all(knows) == (election + replication > count), (election, replication)
