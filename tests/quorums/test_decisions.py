"""Decision tables: the known ones, and that whoever keeps to them never decides twice."""

import random
from itertools import combinations, product

import pytest

from coord.quorums import decisions
from coord.quorums.decisions import (
    BLANKS,
    NIL,
    UNKNOWN,
    UNWRITTEN,
    QuorumTable,
    client_table,
    decided,
    decision_table,
    promised,
    verdict,
)
from coord.quorums.expression import mask_of

Shape = dict[int, str]


def quorum_table(shape: Shape) -> QuorumTable:
    """From register set to quorums written as digits: {0: "01 12"}."""
    return QuorumTable(tuple((start, masks(listed)) for start, listed in shape.items()))


def masks(listed: str) -> tuple[int, ...]:
    return tuple(mask_of(map(int, digits)) for digits in listed.split())


def contents(*rows: str) -> list[dict[int, str]]:
    """Register sets written server by server: "- A _"."""
    return [dict(enumerate(row.split())) for row in rows]


def shown(table: decisions.DecisionTable) -> list[dict[str, str]]:
    return [
        {
            "".join(map(str, decisions.replicas_of(quorum))): str(found)
            for quorum, found in row.items()
        }
        for row in table
    ]


MAJORITIES = {0: "01 02 12"}
PAIRS = {0: "0123", 1: "01 23"}
TALK = {
    "G1": (
        MAJORITIES,
        ("- A A", "- A _"),
        [{"01": "No", "02": "No", "12": "Yes A"}, {"01": "No", "02": "No", "12": "Maybe A"}],
    ),
    "G2": (
        PAIRS,
        ("B B _ A", "- - A A", "A A _ _"),
        [{"0123": "No"}, {"01": "No", "23": "Yes A"}, {"01": "Yes A", "23": "Any"}],
    ),
    "G3": (
        PAIRS,
        ("- A A _", "C C A A"),
        [{"0123": "No"}, {"01": "Yes C", "23": "Yes A"}],
    ),
    "G4": (
        MAJORITIES,
        ("C A A", "B B A"),
        [{"01": "No", "02": "No", "12": "Yes A"}, {"01": "Yes B", "02": "No", "12": "No"}],
    ),
}


@pytest.mark.parametrize("name", TALK)
def test_the_tables_of_the_talk(name: str) -> None:
    """AT-13, G1 to G4."""
    shape, rows, expected = TALK[name]
    table = decision_table(contents(*rows), quorum_table(shape))
    assert shown(table) == expected
    broken = {"G3": ("A", "C"), "G4": ("A", "B")}
    assert decided(table) == broken.get(name, ("A",))


@pytest.mark.parametrize(
    ("shape", "owned", "rows", "expected"),
    [
        (MAJORITIES, {0}, ("? ? ?",), [{"01": "Any", "02": "Any", "12": "Any"}]),
        (MAJORITIES, {0}, ("- ? ?",), [{"01": "No", "02": "No", "12": "Any"}]),
        (MAJORITIES, {0}, ("A ? ?",), [{"01": "Maybe A", "02": "Maybe A", "12": "Maybe A"}]),
        (MAJORITIES, set(), ("A ? ?",), [{"01": "Maybe A", "02": "Maybe A", "12": "Any"}]),
        (MAJORITIES, set(), ("A B ?",), [{"01": "No", "02": "Maybe A", "12": "Maybe B"}]),
        (MAJORITIES, {0}, ("A A ?",), [{"01": "Yes A", "02": "Maybe A", "12": "Maybe A"}]),
        (
            MAJORITIES,
            {0, 1},
            ("? ? ?", "- B ?"),
            [
                {"01": "Maybe B", "02": "Maybe B", "12": "Maybe B"},
                {"01": "No", "02": "No", "12": "Maybe B"},
            ],
        ),
        (
            PAIRS,
            {1, 2},
            ("? ? ? ?", "? ? ? ?", "? A ? ?"),
            [
                {"0123": "Maybe A"},
                {"01": "Maybe A", "23": "Maybe A"},
                {"01": "Maybe A", "23": "Maybe A"},
            ],
        ),
        (
            MAJORITIES,
            {0, 1},
            ("A ? ?", "B ? ?"),
            [{"01": "No", "02": "No", "12": "No"}, dict.fromkeys(("01", "02", "12"), "Maybe B")],
        ),
    ],
)
def test_a_client_concludes_more_since_everybody_keeps_the_rules(
    shape: Shape, owned: set[int], rows: tuple[str, ...], expected: list[dict[str, str]]
) -> None:
    """AT-13: the client's table, where the register sets in `owned` have one writer."""
    table = client_table(contents(*rows), quorum_table(shape), frozenset(owned))
    assert shown(table) == expected


@pytest.mark.parametrize("shape", [MAJORITIES, {0: "012", 1: "01 12"}, {0: "0 1 2"}, {0: "01 2"}])
def test_what_the_registers_allow_is_what_no_completion_contradicts(shape: Shape) -> None:
    """By contents alone, over all ways in which what is open may be written."""
    quorums = quorum_table(shape)
    for row in product((NIL, UNWRITTEN, UNKNOWN, "A", "B"), repeat=3):
        states = [dict(enumerate(row))]
        open_to = [(NIL, "A", "B") if c in (UNWRITTEN, UNKNOWN) else (c,) for c in row]
        possible = {
            value
            for full in product(*open_to)
            for value in decided(decision_table([dict(enumerate(full))], quorums))
        }
        allowed = verdict(decision_table(states, quorums), 1)
        for value in ("A", "B"):
            assert allowed.allows(value) == (possible <= {value}), (row, possible)


class Client:
    """Reads and writes one register at a time, and keeps to its table."""

    def __init__(self, number: int, clients: int, chance: random.Random) -> None:
        self.number, self.clients, self.chance = number, clients, chance
        self.value = "ABC"[number]
        self.read: list[dict[int, str]] = []
        self.written: dict[int, str] = {}
        self.output: str | None = None

    def step(self, servers: "list[dict[int, str]]", quorums: QuorumTable, owned: frozenset[int]):
        register = self.chance.randrange(len(servers))
        server = self.chance.randrange(3)
        if not self.read:
            self.read = [{} for _ in servers]
        if self.chance.random() < 0.6:
            before = (
                servers[register].setdefault(server, NIL) if self.chance.random() < 0.7 else None
            )
            self.read[register][server] = before or servers[register].get(server, UNWRITTEN)
        else:
            self._write(servers, register, server, quorums, owned)
        done = decided(client_table(self.read, quorums, owned))
        if done:
            self.output = done[0]

    def _write(self, servers, register, server, quorums, owned) -> None:
        if register in owned and register % self.clients != self.number:
            return
        allowed = verdict(client_table(self.read, quorums, owned), register)
        value = self.value if allowed.is_free else next(iter(allowed.values), None)
        if register in owned:
            value = self.written.setdefault(register, value) if value else None
        if value and allowed.allows(value):
            servers[register].setdefault(server, value)


def run_clients(seed: int, broken: bool = False) -> set[str]:
    """Let three clients race through four register sets; return all that anybody decided."""
    chance = random.Random(seed)
    shape, owned = chance.choice(
        [
            (MAJORITIES, {0, 1, 2, 3}),
            ({0: "01 02 12"}, set()),
            ({0: "012", 1: "01 02 12"}, {1, 2, 3}),
            ({0: "01 2", 2: "0 1 2"}, {0, 1, 2, 3}),
            ({0: "0 12"}, {0, 1, 2, 3}),
        ]
    )
    if broken:
        shape, owned = {0: "0 1 2"}, set()
    servers: list[dict[int, str]] = [{} for _ in range(4)]
    clients = [Client(n, 3, chance) for n in range(3)]
    quorums = quorum_table(shape)
    everything: set[str] = set()
    for _ in range(120):
        chance.choice(clients).step(servers, quorums, frozenset(owned))
        everything.update(decided(decision_table(servers, quorums)))
    return everything | {client.output for client in clients if client.output}


def test_clients_that_write_what_their_tables_allow_decide_one_value() -> None:
    """AT-13, the property; servers, registers and clients at random."""
    outcomes = [run_clients(seed) for seed in range(100)]
    assert max(map(len, outcomes)) == 1
    assert len({value for found in outcomes for value in found}) == 3


def test_without_an_owner_and_with_quorums_that_miss_each_other_two_values_are_decided() -> None:
    assert any(len(run_clients(seed, broken=True)) > 1 for seed in range(50))


@pytest.mark.parametrize(
    "shape", [MAJORITIES, {0: "01 2"}, {0: "012", 2: "0 12"}, {0: "0 1", 1: "02"}]
)
def test_promises_suffice_exactly_when_no_other_value_can_be_decided_before(shape: Shape) -> None:
    """AT-15: a promise need not meet quorums of the epoch of a proposal it carries, or earlier."""
    quorums = quorum_table(shape)
    epoch = 3
    reports = [None, *product(range(epoch), "A")]
    for size in range(4):
        for promisers in combinations(range(3), size):
            for accepted in product(reports, repeat=size):
                known = dict(zip(promisers, accepted, strict=True))
                states = promised(epoch, known)
                found = verdict(client_table(states, quorums, frozenset(range(epoch))), epoch)
                newest = max((report[0] for report in known.values() if report), default=-1)
                is_met = all(
                    quorum & mask_of(promisers)
                    for earlier in range(newest + 1, epoch)
                    for quorum in quorums.quorums(earlier)
                )
                assert (found.is_free or found.values == ("A",)) == is_met, known
                assert found.is_free or newest >= 0 or not is_met


def fast_table(count: int, fast: int) -> QuorumTable:
    sets = tuple(mask_of(chosen) for chosen in combinations(range(count), fast))
    return QuorumTable(((0, sets),))


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_recovery_finds_at_most_one_value_exactly_when_three_quorums_share_a_voter(
    count: int,
) -> None:
    """AT-16: for all L and F, over all votes of a fast round that an election quorum reports."""
    for election, fast in product(range(1, count + 1), repeat=2):
        is_legal = election + 2 * fast > 2 * count
        quorums = fast_table(count, fast)
        verdicts = [
            verdict(client_table([dict(enumerate(votes))], quorums), 1)
            for votes in product((NIL, "A", "B"), repeat=election)
        ]
        always_one = all(found.is_free or len(found.values) == 1 for found in verdicts)
        assert always_one == is_legal, (election, fast)


def test_what_a_fast_round_may_have_decided_wins_over_what_is_more_common() -> None:
    """Five voters, L=4 F=4: three of four reported A, so A may be decided; two of four may not."""
    quorums = fast_table(5, 4)
    assert verdict(client_table(contents("A A A B"), quorums), 1).values == ("A",)
    assert verdict(client_table(contents("A A B B"), quorums), 1).is_free


def test_a_recovery_takes_a_later_round_so_that_the_next_one_finds_its_value() -> None:
    """AT-17: N=4 L=3 R=2 F=3; votes A A B B, resolved to B with acknowledgements of 2 and 3."""
    classic = tuple(mask_of(pair) for pair in combinations(range(4), 2))
    quorums = QuorumTable(((0, fast_table(4, 3).quorums(0)), (1, classic)))
    states = contents("A A B B", "_ _ B B")
    table = decision_table(states, quorums)
    assert decided(table) == ("B",)
    heard = [{s: row[s] for s in (0, 1, 2)} for row in contents("A A B B", "- - B B")]
    found = verdict(client_table(heard, quorums, frozenset({1})), 2)
    assert found.values == ("B",)
    overwritten = contents("A A B ?")  # as if the recovery had used the fast round's own registers
    assert verdict(client_table(overwritten, quorums), 1).values != ("B",)


def test_blanks_are_no_values() -> None:
    assert {NIL, UNWRITTEN, UNKNOWN} == set(BLANKS)
