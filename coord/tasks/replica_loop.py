"""The loop of one replica: wait, handle all that is ready, advance, send, write the log.

One Trio task runs it. Everything that it calls is synchronous; nothing else touches the replica.
The log is written here while the disk is quick: handing a write over to another thread, and the
interpreter's lock back and forth, costs more CPU than waiting a quarter of a millisecond. A slow
disk is waited for in a thread of its own.
"""

import gc
import time
from collections.abc import Callable
from typing import Final

import trio

from coord.consensus.effects import Persist
from coord.operations.slices import Slices
from coord.replica.replica import Replica
from coord.storage.log import DurableLog
from coord.tasks.hub import Hub
from coord.tasks.trees import Trees
from coord.tasks.writer import Writer

BUSY_MS: Final = 10
"""The longest time of work without letting other tasks of the process run."""
LINGER_S: Final = 0.003
"""After work, more is waited for in the kernel for this long: to put a Trio task to sleep and to
wake it costs more than a small request in all, and the other tasks here can wait. Peers and disks
answer within it as a rule."""
GATHERING_LINGER_S: Final = 0.001
"""The same while writes wait for others: their patience is counted in milliseconds."""
SLOW_WRITE_MS: Final = 2
"""A disk that takes longer than this on average is waited for in the thread."""
WRITES_BEFORE_ANOTHER_LOOK: Final = 200
"""So many writes in the thread, then one in the loop to see whether the disk is quick again."""
GARBAGE_OBJECTS: Final = 50_000
"""New objects before the collector looks at the young ones: little here is cyclic."""
AWAY_MS: Final = 150
"""A gap between two rounds that only a stopped process (or machine) makes."""
READING_UP_MS: Final = 200
"""After such a gap, ticks wait this long for what came meanwhile to be read. Clients that never
pause must not hold them up for ever: without ticks there are no reports, so no lease."""


class ReplicaLoop:
    """Drives a `Replica`; its half of `Outside` that concerns the log."""

    def __init__(
        self, hub: Hub, log: DurableLog, writer: Writer, trees: Trees, tick_ms: int
    ) -> None:
        self.replica: Replica
        self.answer_command: Callable[[str], bytes | Slices]
        self._scope: trio.CancelScope | None = None
        self.stopping = False
        self.log_syncs = 0
        self._hub = hub
        self._log = log
        self._writer = writer
        self._trees = trees
        self._tick_ms = tick_ms
        self._unwritten: list[Persist] = []
        self._handed_out = 0
        self._write_ms = 0.0
        """Mean duration of writes in the loop, the latest counting most."""
        self._writes_in_thread = 0
        self._last_round_ms = 0
        self._next_tick_ms = 0
        self._was_idle = False
        """Whether nothing was ready in the last round."""
        self._was_away = False
        self._back_ms = 0

    def persist(self, persists: tuple[Persist, ...]) -> None:
        """Write these soon (part of `Outside`)."""
        self._unwritten.extend(persists)
        self._handed_out = persists[-1].number

    async def run(self, started: Callable[[], None]) -> None:
        """Run until `stopping`; `started` is called once, when the first round is done."""
        self._last_round_ms = clock_ms()
        self.round(0.0)
        started()
        # What lives now lives to the end: the collector need not look at it again and again.
        gc.unfreeze()  # but for a replica before this one in the same process
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE_OBJECTS, 20, 20)
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            nursery.start_soon(self._keep_ticking)
            breath_ms = clock_ms()
            linger_s = LINGER_S
            while not self.stopping:
                if self.round(linger_s):
                    linger_s = 0.0
                elif self._was_idle and not self.replica.is_gathering:
                    await trio.lowlevel.wait_readable(self._hub.fileno())
                    breath_ms = clock_ms()
                    continue
                else:
                    linger_s = GATHERING_LINGER_S if self.replica.is_gathering else LINGER_S
                if self._last_round_ms - breath_ms > BUSY_MS:
                    await trio.lowlevel.checkpoint()
                    breath_ms = clock_ms()
            nursery.cancel_scope.cancel()

    async def _keep_ticking(self) -> None:
        """Make rounds happen when nothing else does."""
        while True:
            await trio.sleep(self._tick_ms / 1000)
            # Nobody else is awake to see that what this round began to gather is sent on in time.
            while self.round(0.0) or self.replica.is_gathering:
                await trio.lowlevel.checkpoint()

    def round(self, linger_s: float) -> bool:
        """Handle what is ready, or gets ready within that time, and all that follows.

        Returns whether there is more to do that nobody has to ask for.
        """
        ready = self._hub.wait(linger_s)
        now_ms = clock_ms()
        if now_ms - self._last_round_ms > AWAY_MS:
            self._was_away = True
            self._back_ms = now_ms
        self._last_round_ms = now_ms
        replica = self.replica
        replica.wake(now_ms)
        self._was_idle = not ready
        self._hub.serve(ready)
        is_reading_up = ready and self._was_away and now_ms - self._back_ms < READING_UP_MS
        if now_ms >= self._next_tick_ms and not is_reading_up:
            # After a pause, what has been waiting is read first: it may be what was missed.
            self._next_tick_ms = now_ms + self._tick_ms
            replica.tick(was_away=self._was_away)
            self._was_away = False
        replica.advance()
        if replica.clients.commands:
            self._answer_commands()
        self._hub.flush_all()
        if self._may_write:
            self._write()
            if not self._writer.busy:
                replica.advance()
                self._hub.flush_all()
        filling = self._trees.keep(now_ms, self._handed_out, replica.applied, replica.configuration)
        return filling or self._may_write or bool(replica.clients.pauses.wide)

    @property
    def _may_write(self) -> bool:
        """Whether the log has something to write, and the disk nothing else."""
        return bool(self._unwritten) and not self._writer.busy and not self._trees.overloaded

    def _answer_commands(self) -> None:
        """Answer the four-letter words that have come."""
        commands, self.replica.clients.commands = self.replica.clients.commands, []
        for connection, word in commands:
            answer = self.answer_command(word)
            if isinstance(answer, bytes):
                connection.write(answer)
            else:
                self.replica.clients.pauses.wide.begin(connection, answer)
            connection.finish()

    def wake(self) -> None:
        """Make the loop look at `stopping`; from another task of the same thread."""
        if self._scope is not None:
            self._scope.cancel()

    def _write(self) -> None:
        """Write the log, here or in the thread."""
        persists, self._unwritten = self._unwritten, []
        number = persists[-1].number
        self._log.stage(persists, self._trees.trim_to(), self._trees.configuration)
        is_slow = self._write_ms > SLOW_WRITE_MS
        if is_slow and self._writes_in_thread < WRITES_BEFORE_ANOTHER_LOOK:
            self._writes_in_thread += 1
            self._writer.submit(self._log.commit, lambda _none: self._written(number))
            return
        begun = time.monotonic()
        self._log.commit()
        took_ms = (time.monotonic() - begun) * 1000
        self._write_ms = took_ms if is_slow else 0.9 * self._write_ms + 0.1 * took_ms
        self._writes_in_thread = 0
        self._written(number)

    def _written(self, number: int) -> None:
        self.log_syncs += 1
        self._log.finish()
        self.replica.stored(number)
        self._trees.log_is_durable(number)


def clock_ms() -> int:
    """The monotonic clock in ms."""
    return time.monotonic_ns() // 1_000_000
