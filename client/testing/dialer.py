"""A client of an ensemble in memory, as the network knows it: how it reaches replicas."""

import errno
from typing import Protocol

import trio

from client.testing.doors import ClientStream, Door
from client.testing.mishaps import Mishap
from client.testing.network import Network
from client.testing.process import Process


class Servers(Protocol):
    """The ensemble, as its clients see it."""

    network: Network

    async def running(self, dialer: "Dialer", replica: int) -> Process | None:
        """Wait until a client reaches a replica; return its process, None when it does not run."""

    def meet(self, dialer: "Dialer", opcode: int) -> Mishap | None:
        """A request has arrived at a replica; return what happens to it."""


class Dialer:
    """One client; `open_stream` takes the place of `trio.open_tcp_stream`."""

    def __init__(self, servers: Servers, number: int) -> None:
        self._servers = servers
        self._number = number
        self._doors_made = 0

    def __str__(self) -> str:
        return f"client {self._number}"

    async def open_stream(self, _host: str, port: int) -> trio.abc.Stream:
        """Dial a replica: its id is the port. Raises OSError when it does not run."""
        process = await self._servers.running(self, port)
        if process is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"replica {port} does not run")
        self._doors_made += 1
        stream = ClientStream()
        address = f"127.0.0.1:{self._number}-{self._doors_made}"
        Door(self._servers.network, process, self, address, stream)
        return stream

    def meet(self, opcode: int) -> Mishap | None:
        """A request has arrived at a replica; return what happens to it."""
        return self._servers.meet(self, opcode)
