"""Decision tables: what has been decided, or still may be, by what write-once registers hold.

Consensus on one value, in the form of Howard and Mortier (A generalised solution to distributed
consensus, 2019; the talk Liberating distributed consensus): each server has registers R0, R1, ...,
written at most once, with a value or with nil, which is "never a value". The registers with one
number are a register set, and each register set has its quorums. A value is decided when a quorum
of servers holds it in one register set.

An epoch of a replicated log is a register set for each of its entries: to store an entry in an
epoch is to write its register, and to promise a later epoch is to write nil into the empty ones
before.

Rules, for a client that writes v into register set r:

D1. It puts out a value only if it has read it from a whole quorum of one register set.
D2. v is its own input, or a value that it has read.
D3. No other value can be decided in r: one client owns r and writes one value (`owned`), or every
    two quorums of r intersect.
D4. No other value can be decided in the register sets before r: each of their quorums is No,
    Maybe v or Yes v.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

import attrs

from coord.quorums.expression import replicas_of

NIL: Final = "-"
"""Written: this register never has a value."""
UNWRITTEN: Final = "_"
"""Read, and nothing is written there yet; it may be by now."""
UNKNOWN: Final = "?"
"""Not read."""
BLANKS: Final = (NIL, UNWRITTEN, UNKNOWN)

Registers = Mapping[int, str]
"""One register set: server -> value or blank; a server that is left out is unknown."""


class Kind(Enum):
    """What can become of a quorum."""

    NO = "No"
    """It decides nothing, whatever happens."""
    MAYBE = "Maybe"
    """If it decides, it decides this value."""
    YES = "Yes"
    """It has decided this value."""
    ANY = "Any"
    """It may decide any value."""


@attrs.frozen
class Decision:
    """The state of one quorum of one register set."""

    kind: Kind
    """What can become of it."""
    value: str = ""
    """The value of Maybe and Yes; empty for the others."""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.value}".rstrip()

    def allows(self, value: str) -> bool:
        """Tell whether it decides no other value (D4)."""
        return self.kind is Kind.NO or (self.value == value and self.kind is not Kind.ANY)


NO: Final = Decision(Kind.NO)
ANY: Final = Decision(Kind.ANY)


@attrs.frozen
class QuorumTable:
    """Register set -> its quorums."""

    starts: tuple[tuple[int, tuple[int, ...]], ...]
    """From this register set on: these minimal quorums, as masks. Ascending, from 0."""

    def quorums(self, register: int) -> tuple[int, ...]:
        """Return the quorums of a register set."""
        return [quorums for start, quorums in self.starts if start <= register][-1]


DecisionTable = list[dict[int, Decision]]
"""For each register set: quorum -> decision."""


def decision_table(states: Sequence[Registers], quorums: QuorumTable) -> DecisionTable:
    """Classify each quorum by what its registers hold, and nothing else."""
    return [
        {quorum: _decision(registers, quorum) for quorum in quorums.quorums(number)}
        for number, registers in enumerate(states)
    ]


def client_table(
    states: Sequence[Registers], quorums: QuorumTable, owned: frozenset[int] = frozenset()
) -> DecisionTable:
    """Classify each quorum by what a client may conclude from what it has read.

    It knows more than the registers say, since everybody keeps the rules: whoever wrote v into r
    had made sure that nothing else is decided before r, and in r as well where r is `owned`.
    """
    table: DecisionTable = [
        dict.fromkeys(quorums.quorums(number), ANY) for number in range(len(states))
    ]
    for number, registers in enumerate(states):
        for server, content in registers.items():
            if content == NIL:
                _rule_out(table[number], server)
            elif content not in BLANKS:
                everywhere = number in owned
                _settle(table[number], content, None if everywhere else server)
                for earlier in table[:number]:
                    _settle(earlier, content, None)
    for number, registers in enumerate(states):
        for quorum in table[number]:
            found = _decision(registers, quorum)
            if found.kind is Kind.YES:
                table[number][quorum] = found
    return table


@attrs.frozen
class Verdict:
    """What may be written into a register set, as far as earlier ones are concerned (D4)."""

    is_free: bool
    """Any value."""
    values: tuple[str, ...] = ()
    """Else one of these; with none, more has to be read first."""

    def allows(self, value: str) -> bool:
        """Tell whether this value may be written."""
        return self.is_free or value in self.values


def verdict(table: DecisionTable, register: int) -> Verdict:
    """Return what a client with this table may write into a register set."""
    before = [decision for row in table[:register] for decision in row.values()]
    if all(decision.kind is Kind.NO for decision in before):
        return Verdict(is_free=True)
    values = sorted({decision.value for decision in before} - {""})
    allowed = [value for value in values if all(item.allows(value) for item in before)]
    return Verdict(is_free=False, values=tuple(allowed))


def decided(table: DecisionTable) -> tuple[str, ...]:
    """Return the values that are decided, sorted; more than one when a rule was broken."""
    found = {item.value for row in table for item in row.values() if item.kind is Kind.YES}
    return tuple(sorted(found))


def promised(epoch: int, accepted: Mapping[int, tuple[int, str] | None]) -> list[Registers]:
    """Return what the promises for an epoch tell of the registers before it.

    Each promiser reports the greatest epoch in which it has accepted something, and what; None: it
    never has. So it holds nil in the epochs since, and what it held before is not told.
    """
    states: list[dict[int, str]] = [{} for _ in range(epoch)]
    for server, report in accepted.items():
        since = 0
        if report is not None:
            since = report[0] + 1
            states[report[0]][server] = report[1]
        for number in range(since, epoch):
            states[number][server] = NIL
    return list(states)


def _decision(registers: Registers, quorum: int) -> Decision:
    contents = [registers.get(server, UNKNOWN) for server in replicas_of(quorum)]
    values = set(contents) - {UNWRITTEN, UNKNOWN}
    if NIL in values or len(values) > 1:
        return NO
    if not values:
        return ANY
    is_whole = UNWRITTEN not in contents and UNKNOWN not in contents
    return Decision(Kind.YES if is_whole else Kind.MAYBE, values.pop())


def _rule_out(row: dict[int, Decision], server: int) -> None:
    for quorum in row:
        if quorum >> server & 1:
            row[quorum] = NO


def _settle(row: dict[int, Decision], value: str, server: int | None) -> None:
    """Leave only one value to the quorums, to those with this server if one is given."""
    for quorum, known in row.items():
        if server is None or quorum >> server & 1:
            is_open = known == ANY or known.allows(value)
            row[quorum] = NO if known == NO or not is_open else Decision(Kind.MAYBE, value)
