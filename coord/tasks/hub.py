"""All sockets of a replica behind one epoll, so that one wake-up serves all that is ready.

A Trio task for each connection costs about four times the CPU of this for small requests. The hub
itself is synchronous: the replica's task waits until the epoll is readable, then lets it serve.
"""

import select
from typing import Final, Protocol

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT
EVENTS_MAX: Final = 512
"""Handled in one poll; the rest is ready again in the next."""


class Handler(Protocol):
    """Something with a file descriptor in the hub."""

    def ready(self, events: int) -> None:
        """The descriptor is ready: a set of epoll bits."""

    def flush(self) -> None:
        """Send what has been put out since the last flush."""

    def close(self) -> None:
        """Let go of the descriptor, at the next flush at the latest."""


class Hub:
    """One epoll and the handlers behind its descriptors."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._dirty: list[Handler] = []

    def fileno(self) -> int:
        """Descriptor that is readable when any handler is ready."""
        return self._epoll.fileno()

    def add(self, descriptor: int, handler: Handler, events: int = READ) -> None:
        """Watch a descriptor."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """Wait for something else from now on."""
        self._epoll.modify(descriptor, events)

    def remove(self, descriptor: int) -> None:
        """Forget a descriptor; call it before closing."""
        if self._handlers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def mark(self, handler: Handler) -> None:
        """The handler has output; `flush_all` will call it once for each mark."""
        self._dirty.append(handler)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """Wait in the kernel until something is ready; return it for `serve`."""
        return self._epoll.poll(seconds, EVENTS_MAX)

    def serve(self, ready: list[tuple[int, int]]) -> None:
        """Let the handlers of what is ready do their part."""
        handlers = self._handlers
        for descriptor, events in ready:
            handler = handlers.get(descriptor)
            if handler is not None:
                handler.ready(events)

    def flush_all(self) -> None:
        """Send everything that was put out."""
        while self._dirty:
            dirty, self._dirty = self._dirty, []
            for handler in dirty:
                handler.flush()

    def close_sockets(self, kept: tuple[Handler, ...]) -> None:
        """Close every descriptor but those of some handlers."""
        for handler in list(self._handlers.values()):
            if handler not in kept:
                handler.close()
        self.flush_all()

    def close(self) -> None:
        """Give the epoll back; no handler is left."""
        self._epoll.close()
