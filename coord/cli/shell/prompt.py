"""The shell with a prompt: lines are edited in a thread, commands are carried out by Trio.

prompt_toolkit is written with asyncio; it runs in a worker thread for as long as one line is being
written. What it wants to know of the servers is asked of Trio (`coord.cli.shell.completion`);
events that come meanwhile are written above the prompt.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.patch_stdout import StdoutProxy

from client import State
from coord.cli.shell.completion import LiveTree, ShellCompleter
from coord.cli.shell.row import split_open
from coord.cli.shell.shell import Shell

SECRET: Final = "addauth"
"""What holds a password, or was to: it is not written to the history's file."""

STATE_COLOURS: Final = {
    State.CONNECTED: "ansigreen",
    State.READ_ONLY: "ansiyellow",
    State.AWAY: "ansiyellow",
    State.EXPIRED: "ansired",
    State.CLOSED: "ansired",
}


class ShellHistory(FileHistory):
    """Lines of earlier shells, without secrets."""

    def store_string(self, string: str) -> None:
        """Keep a line in the file."""
        words, _quote = split_open(string)
        if not words or not words[0].startswith(SECRET):
            super().store_string(string)


class CommandLexer(Lexer):
    """Colours the command, and what is none."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """Return what colours a line."""

        def line(number: int) -> StyleAndTextTuples:
            text = document.lines[number]
            name = text.strip().split(" ", 1)[0]
            start = text.find(name) + len(name)
            known = name in self._shell.commands
            return [("bold ansigreen" if known else "ansired", text[:start]), ("", text[start:])]

        return line


def open_history(path: Path) -> History:
    """Return the lines of earlier shells; those of this one only where no file can be kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return InMemoryHistory()
    return ShellHistory(str(path))


def default_history() -> Path:
    """Return where the lines of earlier shells are kept."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "coord" / "shell_history"


class Prompt:
    """Asks for lines and lets the shell carry them out."""

    def __init__(self, shell: Shell, history: Path) -> None:
        self._shell = shell
        self._command = trio.CancelScope()
        tree = LiveTree(shell.connection, trio.lowlevel.current_trio_token())
        self._session: PromptSession[str] = PromptSession(
            history=open_history(history),
            completer=ShellCompleter(shell.commands, tree.children),
            complete_in_thread=True,
            complete_while_typing=False,  # each completion asks the servers
            lexer=CommandLexer(shell),
            color_depth=ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
        )

    async def run(self) -> None:
        """Go on until `quit`, the end of the input, SIGTERM or SIGHUP."""
        aside = StdoutProxy(raw=True)
        self._shell.output.aside = aside
        self._shell.tells_states = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._take_signals)
                while not self._shell.has_quit:
                    with suppress(KeyboardInterrupt):  # Ctrl-C at the prompt: another line
                        await self._ask_and_carry_out()
                nursery.cancel_scope.cancel()
        finally:
            self._shell.output.aside = None
            await trio.to_thread.run_sync(aside.close)

    async def _ask_and_carry_out(self) -> None:
        try:
            line = await trio.to_thread.run_sync(self._ask)
        except EOFError:
            self._shell.has_quit = True
            return
        with trio.CancelScope() as self._command:
            await self._shell.run_line(line)

    def _ask(self) -> str:
        return self._session.prompt(self._message, handle_sigint=False)

    def _message(self) -> StyleAndTextTuples:
        state = self._shell.connection.present
        number = len(self._shell.history)
        return [("", "coord "), (STATE_COLOURS[state], state.value), ("", f" {number}> ")]

    async def _take_signals(self) -> None:
        """Ctrl-C ends the command that runs, the others end the shell."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as arriving:
            async for number in arriving:
                self._command.cancel()
                if number != signal.SIGINT:
                    self._shell.has_quit = True
                    app = self._session.app
                    if app.is_running and app.loop is not None:
                        app.loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        if self._session.app.is_running:
            self._session.app.exit(exception=EOFError())
