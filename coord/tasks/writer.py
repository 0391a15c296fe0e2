"""An own thread for what waits for the disk.

Trio's worker threads take their answers through the loop's own queue, which beside a busy loop can
take over a hundred milliseconds; this one is woken by a queue and answers through an eventfd.
"""

import os
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from coord.tasks.hub import Hub


class Writer:
    """Runs jobs one after the other in a thread of its own.

    At most as many jobs wait as the driver has handed out without an answer; it keeps one out at a
    time.
    """

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub = hub
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None] = (
            SimpleQueue()
        )
        self._done: deque[tuple[Callable[[Any], None], Any, BaseException | None]] = deque()
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.busy = 0
        hub.add(self._eventfd, self)
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run `job` in the thread, then `done` with its result in the loop.

        An exception of the job is raised in the loop: a failed write ends the replica.
        """
        self.busy += 1
        self._jobs.put((job, done))

    def ready(self, _events: int) -> None:
        """Some jobs are done."""
        os.eventfd_read(self._eventfd)
        while self._done:
            done, result, error = self._done.popleft()
            self.busy -= 1
            if error is not None:
                raise error
            done(result)

    def flush(self) -> None:
        """A writer has no socket."""

    def run(self, job: Callable[[], Any]) -> None:
        """Run `job` in the thread, after what waits there, and wait for it here.

        Only for what happens once in a while: nothing else is served meanwhile.
        """
        finished = Event()

        def notify() -> None:
            try:
                job()
            finally:
                finished.set()

        self.submit(notify, lambda _none: None)
        finished.wait()

    def close(self) -> None:
        """End the thread after the job that it is at."""
        self._jobs.put(None)
        self._thread.join()
        self._hub.remove(self._eventfd)
        os.close(self._eventfd)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                result, error = job[0](), None
            except BaseException as failure:  # noqa: BLE001 - raised again in the loop
                result, error = None, failure
            self._done.append((job[1], result, error))
            os.eventfd_write(self._eventfd, 1)
