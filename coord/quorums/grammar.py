"""Grammar: how a quorum system is read from text, word by word, within bounds.

    expression = product { "+" product }            any of them
    product    = part { "*" part }                  all of them
    part       = number | "(" expression ")" | "choose" "(" number { "," weighed } ")"
    weighed    = expression [ "=" number ]          in choose: a part and its weight

A text comes from a file, a command line or the log. Whatever it holds, reading it takes little time
and ends with a system or a QuorumError of one short sentence.
"""

import re

from coord.quorums.expression import Expression, Single, Threshold, all_of, any_of, choose
from coord.quorums.system import QuorumError

TEXT_MAX = 4000
"""Characters of a text: room for 255 replicas with a weight each."""
NUMBER_MAX = 1_000_000
"""Sizes and weights go up to this."""
REPLICA_MAX = 255
"""Ids of replicas go up to this."""
DEPTH_MAX = 20
"""Brackets within brackets."""

_TOKEN = re.compile(r"\s*([0-9]+|[A-Za-z]+|[\[\](),=+*])")


class Tokens:
    """A text, taken from the left in numbers, words and signs."""

    def __init__(self, text: str) -> None:
        if len(text) > TEXT_MAX:
            raise QuorumError(f"the text is {len(text)} characters long; at most {TEXT_MAX} may be")
        self._tokens: list[str] = []
        self._place = 0
        end, text = 0, text.rstrip()
        while end < len(text):
            match = _TOKEN.match(text, end)
            if match is None:
                raise QuorumError(f"{excerpt(text[end:].lstrip())} is not understood")
            self._tokens.append(match[1])
            end = match.end()

    @property
    def all(self) -> tuple[str, ...]:
        """Every token, taken or not."""
        return tuple(self._tokens)

    @property
    def next(self) -> str:
        """The next token; "" at the end."""
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def take(self) -> str:
        """Return the next token and go on."""
        token = self.next
        self._place += 1
        return token

    def accept(self, token: str) -> bool:
        """Go on if this is next; tell whether it was."""
        if self.next != token:
            return False
        self._place += 1
        return True

    def expect(self, token: str) -> None:
        """Go on; raise QuorumError if this is not next."""
        if not self.accept(token):
            raise QuorumError(f"{token!r} is expected, not {self.found()}")

    def number(self, meaning: str) -> int:
        """Return the number that is next; raise QuorumError if there is none, or a huge one."""
        token = self.next
        if not token.isdecimal():
            raise QuorumError(f"{meaning} is expected, not {self.found()}")
        self._place += 1
        if len(token) > len(str(NUMBER_MAX)) or int(token) > NUMBER_MAX:
            raise QuorumError(f"{excerpt(token)} is too large: {NUMBER_MAX} is the greatest number")
        return int(token)

    def found(self) -> str:
        """What is next, for a complaint."""
        return excerpt(self.next) if self.next else "the end"

    def sizes(self, kind: str, names: str) -> dict[str, int]:
        """Return the rest as sizes, each name at most once: `L=4 R=2`."""
        sizes: dict[str, int] = {}
        listed = " and ".join(f"{name}=" for name in names)
        while self.next:
            name = self.take()
            if name not in names or name in sizes:
                raise QuorumError(
                    f"{kind} takes {listed} with a number each, once, not {excerpt(name)}"
                )
            self.expect("=")
            sizes[name] = self.number(f"a number for {name}")
        return sizes


def greatest_id(text: str) -> int:
    """Return the greatest replica id that a text names; 0 where it names none.

    A number is an id unless it is a size, a weight, or how many to choose.
    """
    tokens = ["", "", *Tokens(text).all]
    ids = [
        int(token)
        for two_before, before, token in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if token.isdecimal() and len(token) <= 3
        if (two_before, before) != ("choose", "(")
        if before != "=" or two_before in ("replication", "election", "fast")
    ]
    return max(ids, default=0)


def excerpt(text: str) -> str:
    """Quote a text, cut where it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def read_expression(tokens: Tokens, depth: int = 0) -> Expression:
    """Read an expression; raise QuorumError where there is none."""
    if depth > DEPTH_MAX:
        raise QuorumError(f"brackets stand more than {DEPTH_MAX} deep")
    products = [_read_product(tokens, depth)]
    while tokens.accept("+"):
        products.append(_read_product(tokens, depth))
    return any_of(products)


def _read_product(tokens: Tokens, depth: int) -> Expression:
    parts = [_read_part(tokens, depth)]
    while tokens.accept("*"):
        parts.append(_read_part(tokens, depth))
    return all_of(parts)


def _read_part(tokens: Tokens, depth: int) -> Expression:
    if tokens.accept("("):
        inner = read_expression(tokens, depth + 1)
        tokens.expect(")")
        return inner
    if tokens.accept("choose"):
        return _read_choice(tokens, depth)
    replica = tokens.number("a replica's id, 'choose' or '('")
    if replica > REPLICA_MAX:
        raise QuorumError(f"replica {replica} is not among the voters")
    return Single(replica)


def _read_choice(tokens: Tokens, depth: int) -> Expression:
    tokens.expect("(")
    need = tokens.number("how many to choose")
    parts, weights = [], []
    while tokens.accept(","):
        parts.append(read_expression(tokens, depth + 1))
        weights.append(tokens.number("a weight") if tokens.accept("=") else 1)
    tokens.expect(")")
    total = sum(weights)
    if not 1 <= need <= total or 0 in weights:
        raise QuorumError(f"choose({need}, ...) of parts that weigh {total} is no choice")
    return (
        choose(need, parts)
        if total == len(parts)
        else Threshold(need, tuple(parts), tuple(weights))
    )
