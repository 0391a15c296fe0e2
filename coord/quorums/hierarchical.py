"""Hierarchical quorums: groups of voters; enough weight in enough groups replicates.

`hierarchical [1,2,3] [4,5,6] [7,8,9]` is ZooKeeper's rule: more than half of the weight in more
than half of the groups. A voter may have a weight, `[1=2,2,3]`; weight 0 never counts, nor does a
group without weight. `groups=K` asks for K of the groups instead, `members=M` for weight M in each.

The election side is the dual: with G groups, a set that leaves too few groups to the others.
"""

from coord.quorums.expression import choose
from coord.quorums.grammar import Tokens
from coord.quorums.system import QuorumError, QuorumSystem
from coord.quorums.weighted import weighing


def read_hierarchical(tokens: Tokens, voters: tuple[int, ...]) -> QuorumSystem:
    """Read what follows `hierarchical`: groups, then `groups=` and `members=`."""
    groups: list[dict[int, int]] = []
    seen: set[int] = set()
    while tokens.accept("["):
        groups.append(_read_group(tokens, seen))
    if not groups:
        raise QuorumError("hierarchical needs groups: hierarchical [1,2,3] [4,5,6] [7,8,9]")
    if seen != set(voters):
        strange = min(seen ^ set(voters))
        why = "is not among the voters" if strange in seen else "is in no group"
        raise QuorumError(f"replica {strange} {why}")
    text = " ".join(["hierarchical", *map(_text, groups)])
    heavy = [group for group in groups if any(group.values())]
    if not heavy:
        raise QuorumError("no group has any weight")
    wanted: dict[str, int] = {}
    while tokens.next:
        name = tokens.take()
        if name not in ("groups", "members") or name in wanted:
            raise QuorumError("hierarchical takes groups= and members= after the groups, once")
        tokens.expect("=")
        wanted[name] = tokens.number(f"a number of {name}")
    text += "".join(f" {name}={wanted[name]}" for name in sorted(wanted))
    need = wanted.get("groups", len(heavy) // 2 + 1)
    if not 1 <= need <= len(heavy):
        raise QuorumError(f"groups={need} must be between 1 and {len(heavy)}, the groups")
    parts = []
    for group in heavy:
        total = sum(group.values())
        weight = wanted.get("members", total // 2 + 1)
        if not 1 <= weight <= total:
            raise QuorumError(
                f"members={weight} must be between 1 and the weight of {_text(group)}"
            )
        parts.append(weighing(weight, group))
    replicates = choose(need, parts)
    return QuorumSystem(text, voters, elects=replicates.dual(), replicates=replicates)


def _read_group(tokens: Tokens, seen: set[int]) -> dict[int, int]:
    group: dict[int, int] = {}
    while not group or tokens.accept(","):
        replica = tokens.number("a replica's id")
        if replica in seen:
            raise QuorumError(f"replica {replica} stands twice")
        seen.add(replica)
        group[replica] = tokens.number("a weight") if tokens.accept("=") else 1
    tokens.expect("]")
    return group


def _text(group: dict[int, int]) -> str:
    items = [f"{r}={weight}" if weight != 1 else str(r) for r, weight in group.items()]
    return f"[{','.join(items)}]"
