"""Whose turn it is among the tasks of one client.

Tasks of one process that want the same lock stand in line here first, in the order they came, and
only the first of them joins the queue at the servers. So a process has one znode for a lock, and
processes take turns with each other, however many of their tasks wait.
Those who want to share a lock do not stand in line, for they do not wait for each other.
"""

import attrs
import trio


@attrs.define(eq=False)
class _Line:
    gate: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(1))
    """Lets one through, and the others in the order they came."""
    tasks: list[trio.lowlevel.Task] = attrs.field(factory=list)
    """All who stand in line or have their turn."""


@attrs.define(eq=False)
class Turn:
    """The turn of one task, until it leaves."""

    _lines: dict[str, _Line]
    _path: str
    _task: trio.lowlevel.Task
    _alone: bool

    def leave(self) -> None:
        """Let the next one through."""
        line = self._lines[self._path]
        if self._alone:
            line.gate.release()
        line.tasks.remove(self._task)
        if not line.tasks:
            del self._lines[self._path]


class Lines:
    """The lines of one client, by path. A path whose line is empty takes no room."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    async def take(self, path: str, *, alone: bool, wait: bool) -> Turn:
        """Return a turn: with `alone` once nobody else has such a one.

        Raises RuntimeError when this task has a turn already and would wait for itself, and
        trio.WouldBlock, without `wait`, when somebody else has it.
        """
        task = trio.lowlevel.current_task()
        line = self._lines.get(path)
        if line is None:
            line = self._lines[path] = _Line()
        if wait and task in line.tasks:
            raise RuntimeError(f"this task holds {path} and would wait for itself")
        line.tasks.append(task)
        turn = Turn(self._lines, path, task, alone)
        try:
            if alone and wait:
                await line.gate.acquire()
            elif alone:
                line.gate.acquire_nowait()
        except BaseException:
            turn._alone = False  # noqa: SLF001  (it did not get through)
            turn.leave()
            raise
        return turn
