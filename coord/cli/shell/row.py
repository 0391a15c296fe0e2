"""What a command of the shell is: how it is written, what it does, and how its words are read."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs


class UsageError(Exception):
    """The command is not one; the text says how it is written."""


@attrs.frozen
class Given:
    """What was written after a command's name."""

    words: tuple[str, ...]
    """All but the options, in order."""
    flags: frozenset[str]
    """The options without a value that were given, without their dash."""
    values: dict[str, str]
    """The other options and their values."""

    def number(self, option: str, default: int) -> int:
        """Return the value of an option as a whole number; UsageError when it is none."""
        return whole(self.values[option]) if option in self.values else default


@attrs.frozen
class Row:
    """One command."""

    usage: str
    """How it is written."""
    help: str
    """What it does, in a line."""
    action: Callable[[Any, Given], Awaitable[None]]
    """Carries it out in the `Shell` it is given, which knows rows, and so has no name here."""
    options: str = ""
    """The names of its options, without their dash; with a colon when a value follows."""
    words: tuple[int, int] = (1, 1)
    """The least and the greatest number of its other words."""

    def read(self, words: Sequence[str]) -> Given:
        """Tell options from words. UsageError when there are too many or too few.

        Options may stand anywhere, several letters behind one dash; behind `--` nothing is one. A
        word that begins with a dash and is no option is a word: data may begin so.
        """
        plain: list[str] = []
        flags: set[str] = set()
        values: dict[str, str] = {}
        known = self.options.split()
        waiting = list(words)
        while waiting:
            word = waiting.pop(0)
            letters = word[1:] if word.startswith("-") else ""
            if word == "--":
                plain += waiting
                break
            if f"{letters}:" in known:
                if not waiting:
                    raise UsageError(f"write: {self.usage}")
                values[letters] = waiting.pop(0)
            elif letters in known:
                flags.add(letters)
            elif letters and all(letter in known for letter in letters):
                flags.update(letters)
            else:
                plain.append(word)
        least, greatest = self.words
        if not least <= len(plain) <= greatest:
            raise UsageError(f"write: {self.usage}")
        return Given(tuple(plain), frozenset(flags), values)


def split(line: str) -> list[str]:
    """Return the words of a line. A word that begins with a quote goes on to the next such quote.

    Elsewhere quotes are characters as others, so JSON may be written as it is.
    """
    words, open_quote = split_open(line)
    if open_quote:
        raise UsageError(f"a quote is not closed: {open_quote}{words[-1]}")
    return words


def split_open(line: str) -> tuple[list[str], str]:
    """Return the words of a line that may not be complete, and the quote that is open, or ""."""
    words: list[str] = []
    rest = line.lstrip()
    while rest:
        if rest[0] in "\"'":
            quote = rest[0]
            word, closing, rest = rest[1:].partition(quote)
            words.append(word)
            if not closing:
                return words, quote
        else:
            word = rest.split(maxsplit=1)[0]
            rest = rest[len(word) :]
            words.append(word)
        rest = rest.lstrip()
    return words, ""


def quoted(word: str) -> str:
    """Return a word as `split` reads it."""
    if word and word[0] not in "\"'" and not any(letter.isspace() for letter in word):
        return word
    return f'"{word}"' if '"' not in word else f"'{word}'"


def whole(text: str, what: str = "a version") -> int:
    """Return a whole number; UsageError when it is none."""
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{what} is a whole number, not {text!r}") from None
