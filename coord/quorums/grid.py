"""Grid quorums: the voters stand in rows and columns, and a column replicates.

`grid [[1,2,3],[4,5,6]]` lists the rows: {1, 4}, {2, 5} and {3, 6} replicate. The election side is
the dual, one voter of every column; a row is one such set. Two columns have no replica in common,
and two rows neither, and need not.
"""

from coord.quorums.expression import Single, all_of, any_of
from coord.quorums.grammar import Tokens
from coord.quorums.system import QuorumError, QuorumSystem


def read_grid(tokens: Tokens, voters: tuple[int, ...]) -> QuorumSystem:
    """Read what follows `grid`: rows of equal length which together are the voters."""
    rows: list[list[int]] = []
    tokens.expect("[")
    while not rows or tokens.accept(","):
        rows.append(_read_row(tokens))
    tokens.expect("]")
    if tokens.next:
        raise QuorumError(f"nothing may follow the rows of a grid, but {tokens.found()} does")
    if len({len(row) for row in rows}) > 1:
        raise QuorumError("the rows of a grid must be equally long")
    cells = [replica for row in rows for replica in row]
    for replica in cells:
        if cells.count(replica) > 1 or replica not in voters:
            why = "stands twice" if replica in voters else "is not among the voters"
            raise QuorumError(f"replica {replica} {why}")
    if absent := [voter for voter in voters if voter not in cells]:
        raise QuorumError(f"replica {absent[0]} is not in the grid")
    columns = list(zip(*rows, strict=True))
    replicates = any_of([all_of([Single(replica) for replica in column]) for column in columns])
    text = ",".join(f"[{','.join(map(str, row))}]" for row in rows)
    return QuorumSystem(f"grid [{text}]", voters, elects=replicates.dual(), replicates=replicates)


def _read_row(tokens: Tokens) -> list[int]:
    row: list[int] = []
    tokens.expect("[")
    while not row or tokens.accept(","):
        row.append(tokens.number("a replica's id"))
    tokens.expect("]")
    return row
