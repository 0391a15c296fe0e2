"""What the shell writes: text for people, or one JSON value a line for programs."""

import json
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import click


class Aside(Protocol):
    """Somewhere to write, as a text file."""

    def write(self, text: str, /) -> int:
        """Take a text."""

    def flush(self) -> None:
        """Write what was taken."""


class Output:
    """Results and events on standard output, faults on standard error.

    As JSON all of it is on standard output: results as they are, events as objects with the key
    "event", faults as objects with the key "error".
    """

    def __init__(self, *, as_json: bool, colours: bool) -> None:
        self.as_json = as_json
        """Whether it is JSON."""
        self.colours = colours
        """Whether faults and events are coloured."""
        self.aside: Aside | None = None
        """Where events go that come while there is a prompt; None: where all goes."""

    def show(self, value: Any, text: Sequence[str | bytes]) -> None:
        """Write a result: the value as JSON, or the lines. JSON's null is not written."""
        if not self.as_json:
            for line in text:
                self._write(line if isinstance(line, bytes) else line.encode(errors="replace"))
        elif value is not None:
            self._write(json.dumps(value).encode())

    def event(self, kind: str, path: str, **more: Any) -> None:
        """Write an event of a watch."""
        if self.as_json:
            line = json.dumps({"event": kind, "path": path, **more})
        else:
            words = [f"{name} {value}" for name, value in more.items()]
            line = self._styled(f"event: {' '.join([kind, path, *words])}", "yellow")
        if self.aside is None:
            self._write(line.encode())
        else:
            self.aside.write(line + "\n")
            self.aside.flush()

    def fault(self, name: str, sentence: str) -> None:
        """Write why a command was not carried out."""
        if self.as_json:
            self._write(json.dumps({"error": name, "message": sentence}).encode())
        else:
            sys.stdout.flush()
            print(self._styled(f"coord: {sentence}", "red"), file=sys.stderr, flush=True)

    def _styled(self, line: str, colour: str) -> str:
        return click.style(line, fg=colour) if self.colours else line

    def _write(self, line: bytes) -> None:
        sys.stdout.flush()
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
