"""Lack: what is missing to a quorum, in words."""

from coord.quorums.expression import Expression, Single


def lack(expression: Expression, mask: int) -> str:
    """Say in a few words what a set lacks to suffice; "" when nothing.

    `2 of 3, 4, 5`; `1 of 1, 3 and 1 of 2, 4`; where parts have weights, `weight 3 of 1=3, 2`.
    """
    if expression.holds(mask):
        return ""
    if isinstance(expression, Single):
        return str(expression.replica)
    missing = [
        (part, weight)
        for part, weight in zip(expression.parts, expression.weights, strict=True)
        if not part.holds(mask)
    ]
    present = sum(expression.weights) - sum(weight for _, weight in missing)
    lacking = expression.need - present
    if len(missing) == 1:
        return lack(missing[0][0], mask)
    if any(weight > 1 for _, weight in missing):
        words = [_words(part, mask) + (f"={w}" if w > 1 else "") for part, w in missing]
        return f"weight {lacking} of {', '.join(words)}"
    words = [_words(part, mask) for part, _ in missing]
    if all(isinstance(part, Single) for part, _ in missing) or 1 < lacking < len(words):
        return f"{lacking} of {', '.join(words)}"
    return (" or " if lacking == 1 else " and ").join(words)


def _words(part: Expression, mask: int) -> str:
    words = lack(part, mask)
    return f"({words})" if " " in words else words
