"""Drawn expressions and systems, and what they must be by brute force over all sets."""

from itertools import combinations

from hypothesis import strategies as st

from coord.quorums.expression import Expression, Single, Threshold, choose, mask_of

REPLICAS_MAX = 6


@st.composite
def thresholds(draw: st.DrawFn, parts: st.SearchStrategy[Expression]) -> Expression:
    chosen = draw(st.lists(parts, min_size=1, max_size=4))
    if len(chosen) == 1 or draw(st.booleans()):
        return choose(draw(st.integers(1, len(chosen))), chosen)
    weights = tuple(draw(st.integers(1, 4)) for _ in chosen)
    return Threshold(draw(st.integers(1, sum(weights))), tuple(chosen), weights)


def expressions(replicas: int = REPLICAS_MAX) -> st.SearchStrategy[Expression]:
    """Any expression over replicas 1 to N, which may stand more than once."""
    return st.recursive(st.builds(Single, st.integers(1, replicas)), thresholds, max_leaves=8)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, int]:
    """A text of any kind, legal or not, and the number of voters."""
    count = draw(st.integers(1, REPLICAS_MAX))
    size = st.integers(0, count + 1)
    kind = draw(st.sampled_from(["majority", "simple", "weighted", "groups", "grid", "explicit"]))
    order = draw(st.permutations(range(1, count + 1)))
    match kind:
        case "majority":
            return draw(st.sampled_from(["majority", "majority even"])), count
        case "simple":
            return f"simple L={draw(size)} R={draw(size)}", count
        case "weighted":
            weights = [draw(st.integers(0, 4)) for _ in order]
            listed = " ".join(f"{r}={w}" for r, w in zip(order, weights, strict=True))
            sides = [f"{name}={draw(st.integers(1, 12))}" for name in "LR" if draw(st.booleans())]
            return f"weighted {listed} {' '.join(sides)}", count
        case "groups":
            cut = draw(st.integers(0, count))
            groups = [group for group in (order[:cut], order[cut:]) if group]
            listed = " ".join(f"[{','.join(map(str, group))}]" for group in groups)
            tail = draw(st.sampled_from(["", " groups=1", " members=1", " groups=2 members=1"]))
            return f"hierarchical {listed}{tail}", count
        case "grid":
            width = draw(st.integers(1, count))
            rows = [list(order[n : n + width]) for n in range(0, count, width)]
            return f"grid {rows}", count
        case _:
            sides = [f"replication={draw(expressions(count))}"]
            if draw(st.booleans()):
                sides.append(f"election={draw(expressions(count))}")
            return " ".join(sides), count


def subsets(count: int = REPLICAS_MAX) -> list[int]:
    """Every set of replicas 1 to N."""
    return [
        mask_of(chosen)
        for size in range(count + 1)
        for chosen in combinations(range(1, count + 1), size)
    ]


def meaning(expression: Expression, chosen: int) -> bool:
    """Whether an expression holds, by its definition."""
    if isinstance(expression, Single):
        return bool(chosen & 1 << expression.replica)
    parts = zip(expression.parts, expression.weights, strict=True)
    return sum(weight for part, weight in parts if meaning(part, chosen)) >= expression.need


def sufficient(expression: Expression, count: int = REPLICAS_MAX) -> list[int]:
    """Every set for which an expression holds."""
    return [chosen for chosen in subsets(count) if meaning(expression, chosen)]


def minimal(expression: Expression, count: int = REPLICAS_MAX) -> set[int]:
    """Every set that suffices while no smaller one within it does."""
    found = sufficient(expression, count)
    return {a for a in found if not any(b != a and b & a == b for b in found)}
