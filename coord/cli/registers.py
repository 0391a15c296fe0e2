"""Tables of write-once registers: read from a file, and printed with what the quorums decide."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from rich.console import Console
from rich.table import Table

from coord.quorums import QuorumError, excerpt
from coord.quorums.decisions import (
    UNKNOWN,
    Decision,
    DecisionTable,
    QuorumTable,
    Registers,
    client_table,
    decided,
    decision_table,
    verdict,
)
from coord.quorums.expression import replicas_of
from coord.quorums.grammar import Tokens, read_expression
from coord.quorums.minimal import TooManyQuorumsError, minimal_quorums

SETS_MAX = 1000
SERVERS_MAX = 64
TABLE_WIDTH = 110
QUORUMS_SHOWN = 12
"""With more quorums, the table counts them."""


class RegistersError(ValueError):
    """The file is no table of registers; says where, and what would be right."""


@attrs.frozen
class Scene:
    """A state table and a quorum table."""

    states: tuple[Registers, ...]
    """Register sets from R0 on."""
    quorums: QuorumTable
    """Their quorums."""
    owned: frozenset[int]
    """Register sets in which one client writes one value."""

    @property
    def contents(self) -> DecisionTable:
        """What the registers themselves say."""
        return decision_table(self.states, self.quorums)

    @property
    def conclusions(self) -> DecisionTable:
        """What a client may conclude that has read these registers."""
        return client_table(self.states, self.quorums, self.owned)


def read_scene(path: Path) -> Scene:
    """Read a file with [registers] and [quorums]; raise RegistersError where it is neither."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegistersError(f"{path}: {error}") from None
    if unknown := set(raw) - {"registers", "quorums", "owned"}:
        raise RegistersError(f"{excerpt(min(unknown))}: known are registers, quorums and owned")
    rows, starts = raw.get("registers"), raw.get("quorums")
    if not isinstance(rows, dict) or not isinstance(starts, dict) or not rows:
        raise RegistersError('[registers] and [quorums] are needed, each with R0 = "..."')
    states = [_row(name, number, text) for number, (name, text) in enumerate(rows.items())]
    if len({len(row) for row in states}) > 1 or len(states) > SETS_MAX:
        raise RegistersError(
            f"registers: each row needs one word a server, and at most {SETS_MAX} rows may be"
        )
    return Scene(tuple(states), _quorum_table(starts, len(states[0])), _owned(raw.get("owned", [])))


def _row(name: str, number: int, text: object) -> dict[int, str]:
    words = text.split() if isinstance(text, str) else []
    if name != f"R{number}" or not 1 <= len(words) <= SERVERS_MAX:
        raise RegistersError(
            f'registers: R{number} = "- A _ ?" is expected, a word for each of up to '
            f"{SERVERS_MAX} servers, not {excerpt(name)}"
        )
    return dict(enumerate(words))


def _quorum_table(starts: Mapping[str, object], servers: int) -> QuorumTable:
    found = []
    for name, text in starts.items():
        try:
            tokens = Tokens(str(text))
            expression = read_expression(tokens)
            if tokens.next:
                raise RegistersError(f"quorums: {name}: {tokens.found()} is too much")
            quorums = tuple(sorted(minimal_quorums(expression)))
        except QuorumError as error:
            raise RegistersError(f"quorums: {name}: {error}") from None
        except TooManyQuorumsError:
            raise RegistersError(f"quorums: {name}: these are too many to list") from None
        if expression.support >> servers:
            raise RegistersError(f"quorums: {name} names a server after S{servers - 1}")
        found.append((_number(name), quorums))
    if not found or min(found)[0] != 0:
        raise RegistersError("quorums: the table begins with R0")
    return QuorumTable(tuple(sorted(found)))


def _owned(names: object) -> frozenset[int]:
    if not isinstance(names, list):
        raise RegistersError('owned: a list is expected, such as ["R1", "R2"]')
    return frozenset(_number(str(name)) for name in names)


def _number(name: str) -> int:
    if not name.startswith("R") or not name[1:].isdecimal() or len(name) > 9:
        raise RegistersError(f"{excerpt(name)} is no register set; write R0, R1, ...")
    return int(name[1:])


def print_scene(
    states: Sequence[Registers],
    table: DecisionTable,
    *,
    names: Sequence[str] = (),
    servers: Mapping[int, str] | None = None,
) -> None:
    """Print register sets, their contents, and what each of their quorums decides."""
    columns = servers or {server: f"S{server}" for server in sorted(states[0])}
    shown = Table(box=None)
    shown.add_column("")
    for heading in columns.values():
        shown.add_column(heading)
    shown.add_column("quorums")
    for number, (registers, row) in enumerate(zip(states, table, strict=True)):
        name = names[number] if names else f"R{number}"
        cells = [registers.get(server, UNKNOWN) for server in columns]
        shown.add_row(name, *cells, _decisions(row))
    console = Console(highlight=False, markup=False)
    console.width = max(console.width, TABLE_WIDTH)
    console.print(shown)


def _decisions(row: Mapping[int, Decision]) -> str:
    """Each quorum with its decision; where there are many, how many have which."""
    if len(row) > QUORUMS_SHOWN:
        return "   ".join(
            f"{count} x {found}" for found, count in Counter(map(str, row.values())).items()
        )
    return "   ".join(
        f"{{{','.join(map(str, replicas_of(quorum)))}}} {found}" for quorum, found in row.items()
    )


def outcome(table: DecisionTable) -> str:
    """Say what is decided, or what may be written next."""
    values = decided(table)
    if len(values) > 1:
        return f"{' and '.join(values)} are decided: a rule was broken"
    if values:
        return f"decided: {values[0]}"
    found = verdict(table, len(table))
    if found.is_free:
        return "nothing is decided, and nothing can be: any value may be written next"
    if found.values:
        return f"only {' or '.join(found.values)} can be decided: it may be written next"
    return "more than one value can still be decided: nothing may be written before more is read"


def as_record(states: Sequence[Registers], table: DecisionTable) -> dict[str, object]:
    """Return a table for programs; servers in their order, quorums as lists of servers."""
    return {
        "registers": [[row.get(s, UNKNOWN) for s in sorted(states[0])] for row in states],
        "quorums": [
            [
                {"servers": replicas_of(quorum), "decision": str(found)}
                for quorum, found in row.items()
            ]
            for row in table
        ],
        "decided": decided(table),
        "outcome": outcome(table),
    }
