"""Completion of commands, options and paths; the paths come from the servers.

prompt_toolkit asks in a thread of its own, so the prompt never waits; the answer is fetched by Trio
and limited in time and in size.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs
import trio
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from client import ZooKeeperError
from client.errors import ClientClosed
from coord.cli.shell.connection import Connection
from coord.cli.shell.row import Row, quoted, split_open

COMPLETED_WITHIN_S: Final = 1.0
"""After this there is no completion."""

CHILDREN_MAX: Final = 10_000
"""Under a parent with more, nothing is completed: nobody could choose, and the list is long."""


@attrs.frozen
class Fragment:
    """What is being written."""

    before: tuple[str, ...]
    """The words before it."""
    text: str
    """What there is of the word."""
    quote: str
    """The quote it began with, or ""."""

    @classmethod
    def of(cls, line: str) -> "Fragment | None":
        """Return what stands at the end of a line; None where a word has just been closed."""
        words, quote = split_open(line)
        if quote:
            return cls(tuple(words[:-1]), words[-1], quote)
        if not line or line[-1].isspace():
            return cls(tuple(words), "", "")
        if not line.endswith(words[-1]):
            return None
        return cls(tuple(words[:-1]), words[-1], "")

    def replaced_by(self, word: str) -> str:
        """Return what to write in its place."""
        return self.quote + word if self.quote else quoted(word)

    @property
    def length(self) -> int:
        """Number of characters to take away for that."""
        return len(self.text) + len(self.quote)


class LiveTree:
    """The servers' tree, as a thread of prompt_toolkit may ask for it."""

    def __init__(self, connection: Connection, token: trio.lowlevel.TrioToken) -> None:
        self._connection = connection
        self._token = token

    def children(self, parent: str) -> list[str]:
        """Return what `fetch` does; from another thread than Trio's."""
        try:
            return trio.from_thread.run(self.fetch, parent, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            return []  # the shell is ending

    async def fetch(self, parent: str) -> list[str]:
        """Return the names of children; none where they cannot be had soon, or are too many."""
        zk = self._connection.client_nowait()
        if zk is None:
            return []
        with trio.move_on_after(COMPLETED_WITHIN_S):
            try:
                stat = await zk.exists(parent)
                if stat is not None and stat.num_children <= CHILDREN_MAX:
                    return sorted(await zk.get_children(parent))
            except (ZooKeeperError, ClientClosed, ValueError):
                return []
        return []


class ShellCompleter(Completer):
    """Completes a line of a shell."""

    def __init__(
        self, commands: Mapping[str, Row], children: Callable[[str], Sequence[str]]
    ) -> None:
        self._commands = commands
        self._children = children

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterable[Completion]:
        """Yield what may stand at the cursor."""
        fragment = Fragment.of(document.text_before_cursor)
        if fragment is None:
            return
        for word, shown in self.choices(fragment):
            yield Completion(
                fragment.replaced_by(word), start_position=-fragment.length, display=shown
            )

    def choices(self, fragment: Fragment) -> Iterable[tuple[str, str]]:
        """Yield the words that may stand there, and how each is shown."""
        if not fragment.before or fragment.before == ("help",):
            for name in sorted(self._commands, key=str.lower):
                if name.lower().startswith(fragment.text.lower()):
                    yield name, name
        elif fragment.text.startswith("-") and fragment.before[0] in self._commands:
            for option in self._commands[fragment.before[0]].options.split():
                if f"-{option}".startswith(fragment.text):
                    yield f"-{option.removesuffix(':')}", f"-{option.removesuffix(':')}"
        elif fragment.text.startswith("/"):
            parent, _slash, start = fragment.text.rpartition("/")
            for name in self._children(parent or "/"):
                if name.startswith(start):
                    yield f"{parent}/{name}", name
