"""The session that a shell works in: opened and closed as its user says."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import trio

from client import Client, Instrument, State, connect
from coord.cli.settings import settings
from coord.cli.words import CONNECTED_WITHIN_S

Connect = Callable[[str, Instrument], AbstractAsyncContextManager[Client]]
"""How to begin a session with the servers of a connection string."""


class NotConnected(Exception):  # noqa: N818  (named after what it is)
    """There is no session: the user has closed it."""


def connect_by_settings(hosts: str, instrument: Instrument) -> AbstractAsyncContextManager[Client]:
    """Begin a session with what the environment says besides."""
    return connect(settings(hosts), instruments=[instrument])


class Connection(Instrument):
    """One session at a time, kept by a task of its own."""

    def __init__(
        self, nursery: trio.Nursery, connect: Connect, on_state: Callable[[State], None]
    ) -> None:
        self.hosts = ""
        """The servers of the present session, or of the one before."""
        self.present = State.CLOSED
        """How the client stands to them."""
        self._nursery = nursery
        self._connect = connect
        self._on_state = on_state
        self._client: Client | None = None
        self._failure: Exception | None = None
        self._decided = trio.Event()
        self._decided.set()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._ended.set()

    async def open(self, hosts: str) -> None:
        """Begin to connect; ends the session before. Returns at once."""
        await self.close()
        self.hosts = hosts
        self.present = State.AWAY
        self._failure, self._decided = None, trio.Event()
        self._scope, self._ended = trio.CancelScope(), trio.Event()
        self._nursery.start_soon(self._keep)

    async def close(self) -> None:
        """End the session, if there is one."""
        self._scope.cancel()
        await self._ended.wait()

    def state(self, state: State) -> None:
        """Hear of the client that its state is another now."""
        if state is not self.present:
            self.present = state
            self._on_state(state)

    async def client(self) -> Client:
        """Return the client of the session.

        Raises NotConnected when there is none, trio.TooSlowError when no server gives one in time,
        and whatever kept it from connecting.
        """
        with trio.fail_after(CONNECTED_WITHIN_S):
            await self._decided.wait()
        if self._failure is not None:
            raise self._failure
        if self._client is None:
            raise NotConnected
        return self._client

    def client_nowait(self) -> Client | None:
        """Return the client; None while there is no session."""
        return self._client

    async def _keep(self) -> None:
        try:
            with self._scope:
                await trio.lowlevel.checkpoint()  # closed already: do not begin
                async with self._connect(self.hosts, self) as zk:
                    self._client = zk
                    self.state(State.CONNECTED)
                    self._decided.set()
                    await trio.sleep_forever()
        except Exception as error:  # noqa: BLE001  (raised where somebody asks for the client)
            self._failure = error
        finally:
            self._client, self.present = None, State.CLOSED
            self._decided.set()
            self._ended.set()
