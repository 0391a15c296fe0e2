"""The uncommitted slots of a log, as write-once registers: one register set for each epoch.

Each replica tells the epoch whose history it has adopted, the epoch it has promised, where its log
ends on the disk, and which its last entries are beyond what it knows to be committed. In the
adopted epoch it holds its entries, in later ones before the promised one nil, for it stores nothing
there any more; what it held before the adopted one, its history has taken up.
"""

from collections.abc import Mapping, Sequence

import attrs

from coord.cli.registers import as_record as table_as_record
from coord.cli.registers import outcome, print_scene
from coord.quorums import parse
from coord.quorums.decisions import (
    NIL,
    UNKNOWN,
    UNWRITTEN,
    DecisionTable,
    QuorumTable,
    client_table,
)
from coord.quorums.minimal import TooManyQuorumsError, minimal_quorums

SLOTS_SHOWN = 5

Row = Mapping[str, str]
"""What a replica says of itself."""


@attrs.frozen
class Slot:
    """One place of the log."""

    index: int
    """Of the entry."""
    epochs: tuple[int, ...]
    """The register sets, ascending."""
    registers: tuple[dict[int, str], ...]
    """Voter -> contents, for each of them."""
    table: DecisionTable
    """What a leader may conclude from them: epochs have one owner each."""


def uncommitted(rows: Sequence[Row]) -> list[Slot]:
    """Return the newest slots which no replica knows to be committed, the newest last."""
    known = [row for row in rows if row.get("coord_quorums")]
    if not known:
        return []
    newest = max(known, key=lambda row: int(row["coord_commit_index"]))
    voters = [int(voter) for voter in newest["coord_voters"].split()]
    try:
        quorums = tuple(minimal_quorums(parse(newest["coord_quorums"], voters).replicates))
    except TooManyQuorumsError:
        return []
    voting = {
        int(row["coord_replica"]): row
        for row in known
        if int(row["coord_replica"]) in voters and row.get("server_state") != "observer"
    }
    epochs = {int(row[key]) for row in voting.values() for key in ("coord_epoch", ADOPTED)} - {0}
    committed = int(newest["coord_commit_index"])
    indexes = {index for row in voting.values() for index in _entries(row) if index > committed}
    return [
        _slot(index, sorted(epochs), voters, voting, quorums)
        for index in sorted(indexes)[-SLOTS_SHOWN:]
    ]


ADOPTED = "coord_adopted_epoch"


def _slot(
    index: int,
    epochs: Sequence[int],
    voters: Sequence[int],
    voting: Mapping[int, Row],
    quorums: tuple[int, ...],
) -> Slot:
    registers = tuple(
        {
            voter: _contents(voting[voter], index, epoch) if voter in voting else UNKNOWN
            for voter in voters
        }
        for epoch in epochs
    )
    owned = frozenset(range(len(epochs)))
    table = client_table(registers, QuorumTable(((0, quorums),)), owned)
    return Slot(index, tuple(epochs), registers, table)


def _contents(row: Row, index: int, epoch: int) -> str:
    """What a replica's register of this slot and epoch holds."""
    adopted, promised = int(row[ADOPTED]), int(row["coord_epoch"])
    if epoch < adopted:
        return UNKNOWN
    if epoch == adopted and index <= int(row["coord_durable_index"]):
        entry_epoch = _entries(row).get(index)
        return UNKNOWN if entry_epoch is None else written(entry_epoch)
    return NIL if epoch < promised else UNWRITTEN


def _entries(row: Row) -> dict[int, int]:
    """The epochs of the entries on its disk that it does not know to be committed, by index."""
    pairs = (item.split(":") for item in row.get("coord_newest", "").split())
    durable = int(row["coord_durable_index"])
    return {int(index): int(epoch) for index, epoch in pairs if int(index) <= durable}


def written(epoch: int) -> str:
    """An epoch as round and owner."""
    return f"{epoch >> 16}.{epoch >> 8 & 0xFF}"


def print_slots(slots: Sequence[Slot]) -> None:
    """Print each as a table of registers, with what can become of it."""
    if not slots:
        print("no entry is known that is not committed")
    for slot in slots:
        print(f"slot {slot.index}:")
        servers = {voter: f"replica {voter}" for voter in slot.registers[0]}
        names = [f"epoch {written(epoch)}" for epoch in slot.epochs]
        print_scene(slot.registers, slot.table, names=names, servers=servers)
        print(f"  {outcome(slot.table)}")


def as_record(slot: Slot) -> dict[str, object]:
    """Return a slot for programs."""
    return {
        "slot": slot.index,
        "epochs": [written(epoch) for epoch in slot.epochs],
        **table_as_record(slot.registers, slot.table),
    }
