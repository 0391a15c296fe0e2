"""The session that a shell works in: opened and closed as its user says."""

from typing import Literal

import trio

from client import Client, connect
from coord.cli.words import CONNECTED_WITHIN_S

State = Literal["closed", "connecting", "connected", "failed"]


class NotConnected(Exception):  # noqa: N818  (named after what it is)
    """There is no session: the user has closed it."""


class Connection:
    """One session at a time, kept by a task of its own."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.hosts = ""
        """The servers of the present session, or of the one before."""
        self.state: State = "closed"
        """What has become of it."""
        self._nursery = nursery
        self._client: Client | None = None
        self._failure: Exception | None = None
        self._decided = trio.Event()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._ended.set()

    async def open(self, hosts: str) -> None:
        """Begin to connect; ends the session before. Returns at once."""
        await self.close()
        self.hosts = hosts
        self.state = "connecting"
        self._failure, self._decided = None, trio.Event()
        self._scope, self._ended = trio.CancelScope(), trio.Event()
        self._nursery.start_soon(self._keep)

    async def close(self) -> None:
        """End the session, if there is one."""
        self._scope.cancel()
        await self._ended.wait()
        self.state = "closed"

    async def client(self) -> Client:
        """Return the client of the session.

        Raises NotConnected when there is none, trio.TooSlowError when no server gives one in time,
        and whatever kept it from connecting.
        """
        if self.state == "closed":
            raise NotConnected
        with trio.fail_after(CONNECTED_WITHIN_S):
            await self._decided.wait()
        if self._failure is not None:
            raise self._failure
        assert self._client is not None
        return self._client

    def client_nowait(self) -> Client | None:
        """Return the client; None while there is no session."""
        return self._client

    async def _keep(self) -> None:
        try:
            with self._scope:
                async with connect(self.hosts) as zk:
                    self._client, self.state = zk, "connected"
                    self._decided.set()
                    await trio.sleep_forever()
        except Exception as error:  # noqa: BLE001  (raised where somebody asks for the client)
            self._failure, self.state = error, "failed"
        finally:
            self._client = None
            self._decided.set()
            self._ended.set()
