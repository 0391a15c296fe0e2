"""What must be true, checked where it would break.

A broken rule means that memory, the disk or this code is wrong: the replica must stop, for whatever
it did next could lose an acknowledged write. So the check is no `assert`, which -O removes.
"""


class BrokenInvariant(Exception):  # noqa: N818 - named for what happened
    """A numbered rule of a consensus module does not hold: stop the replica."""


def require(condition: bool, rule: str) -> None:  # noqa: FBT001 - the condition is the argument
    """Raise BrokenInvariant with the rule's text unless the condition holds."""
    if not condition:
        raise BrokenInvariant(rule)
