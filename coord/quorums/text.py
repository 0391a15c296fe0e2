"""The text form of a quorum system, as it stands in a configuration and in the log.

| text                                     | read in           |
|------------------------------------------|-------------------|
| `majority`, `majority even`              | `counting.py`     |
| `simple L=4 R=2`, `simple L=4 R=2 F=4`   | `counting.py`     |
| `weighted 1=3 2=1 3=1 R=3`               | `weighted.py`     |
| `hierarchical [1,2,3] [4,5,6] [7,8,9]`   | `hierarchical.py` |
| `grid [[1,2,3],[4,5,6]]`                 | `grid.py`         |
| `replication=(1+2)*(3+4)`, `election=…`  | `explicit.py`     |

What is read prints itself in the same form, with nothing left to be derived from N that was not
derived before: `parse(system.text, voters).text == system.text`.
"""

from collections.abc import Callable, Iterable

from coord.quorums.counting import read_majority, read_simple
from coord.quorums.explicit import SIDES, read_explicit
from coord.quorums.grammar import Tokens
from coord.quorums.grid import read_grid
from coord.quorums.hierarchical import read_hierarchical
from coord.quorums.system import QuorumError, QuorumSystem
from coord.quorums.weighted import read_weighted

_KINDS: dict[str, Callable[[Tokens, tuple[int, ...]], QuorumSystem]] = {
    "majority": read_majority,
    "simple": read_simple,
    "weighted": read_weighted,
    "hierarchical": read_hierarchical,
    "grid": read_grid,
}


def parse(text: str, members: Iterable[int]) -> QuorumSystem:
    """Read a quorum system over these voters; raise QuorumError where it is bad or unsafe."""
    voters = tuple(sorted(set(members)))
    if not voters:
        raise QuorumError("a quorum system needs at least one voter")
    tokens = Tokens(text)
    if tokens.next in SIDES:
        return read_explicit(tokens, voters)
    read = _KINDS.get(tokens.next)
    if read is None:
        known = ", ".join(sorted([*_KINDS, *(f"{side}=" for side in SIDES)]))
        raise QuorumError(f"unknown quorum system: {tokens.found()}; known are: {known}")
    tokens.take()
    return read(tokens, voters)
