"""The text form of a quorum system, as it stands in a configuration and in the log.

`majority`; `majority even` (N / 2 replicate, N / 2 + 1 elect); `simple L=4 R=2`, with `F=4` where
the fast path is used. A size left out is the smallest that is safe with the other.
"""

from collections.abc import Callable, Iterable

from coord.quorums.counting import Counting
from coord.quorums.system import QuorumError, QuorumSystem


def parse(text: str, members: Iterable[int]) -> QuorumSystem:
    """Read a quorum system over these voters; raise QuorumError where it is bad or unsafe."""
    words = text.split()
    voters = tuple(sorted(set(members)))
    if not voters:
        raise QuorumError("a quorum system needs at least one voter")
    if not words or words[0] not in _KINDS:
        known = ", ".join(sorted(_KINDS))
        raise QuorumError(f"unknown quorum system {text!r}; known are: {known}")
    return _KINDS[words[0]](words[1:], voters)


def _majority(words: list[str], voters: tuple[int, ...]) -> QuorumSystem:
    count = len(voters)
    half = count // 2 + 1
    if not words:
        return Counting(voters, election=half, replication=half, text="majority")
    if words != ["even"]:
        raise QuorumError(f"majority takes nothing or 'even', not {' '.join(words)!r}")
    if count % 2:
        raise QuorumError(f"'majority even' needs an even number of voters, not {count}")
    return Counting(voters, election=half, replication=count // 2, text="majority even")


def _simple(words: list[str], voters: tuple[int, ...]) -> QuorumSystem:
    sizes: dict[str, int] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in ("L", "R", "F") or not equals or not value.isdecimal() or name in sizes:
            raise QuorumError(f"simple takes L=, R= and F= with a number each, not {word!r}")
        sizes[name] = int(value)
    if "L" not in sizes and "R" not in sizes:
        raise QuorumError("simple needs L= or R=")
    count = len(voters)
    election = sizes.get("L", count - sizes.get("R", 0) + 1)
    replication = sizes.get("R", count - election + 1)
    return Counting(voters, election=election, replication=replication, fast=sizes.get("F"))


_KINDS: dict[str, Callable[[list[str], tuple[int, ...]], QuorumSystem]] = {
    "majority": _majority,
    "simple": _simple,
}
