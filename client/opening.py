"""Making a client: the tasks it consists of, and their end."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Unpack

import attrs
import trio

from client.calls import Calls
from client.client import Client
from client.config import ClientConfig, Overrides
from client.deadline import Clock, boottime
from client.hub import Hub
from client.instruments import Instrument, Instruments
from client.keeper import Keeper, Settings
from client.recipes.leftovers import Janitor
from client.session import ExportedSession
from client.tls import OpenStream, encrypted


@asynccontextmanager
async def connect(
    hosts: str | ClientConfig,
    *,
    instruments: Iterable[Instrument] = (),
    session: ExportedSession | None = None,
    open_stream: OpenStream = trio.open_tcp_stream,
    clock: Clock = boottime,
    **overrides: Unpack[Overrides],
) -> AsyncIterator[Client]:
    """Keep a session while a block runs.

        async with connect("host:2181,host:2182/chroot", session_timeout=6) as zk:
            await zk.create("/a", b"1")

    Waits until there is a session, for as long as the caller's cancel scope permits. Every task of
    the client ends with the block, and the session is closed. A connection that breaks is made
    anew and the session resumed; a session that has expired is followed by a new one.

    hosts: a connection string, a URL, or a configuration: see `ClientConfig`.
    instruments: are told of what the client does: see `Instrument`.
    session: what `Client.export_session` returned elsewhere: that session is resumed, or, where it
        has expired, followed by a new one; the id tells.
    open_stream: for other transports; with `tls` set, what it returns is encrypted.
    clock: for tests.
    overrides: settings that differ from those in `hosts`, by the names of the fields there.

    Raises ClientConfigError with all faults of the settings.
    """
    config = attrs.evolve(ClientConfig.of(hosts), **overrides)
    if config.tls is not None:
        open_stream = encrypted(open_stream, config.tls)
    hub = Hub()
    keeper = Keeper(Settings(config, open_stream, clock, Instruments(instruments), session), hub)
    calls = Calls(keeper, hub)
    janitor = Janitor(calls)
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            # Takes no time. Were it cancelled, what it shields would never come to this nursery.
            with trio.CancelScope(shield=True):
                background = await nursery.start(_background, keeper)
            background.start_soon(janitor.run)
            try:
                await keeper.room()
                yield Client(calls, background, janitor)
            except BaseException as raised:
                error = raised
                raise
            finally:
                await keeper.close(janitor.finish)
                background.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if error is None or group.exceptions != (error,):
            raise
    if error is not None:
        raise error  # as the body raised it: the nursery is nobody's business


async def _background(
    keeper: Keeper, task_status: trio.TaskStatus[trio.Nursery] = trio.TASK_STATUS_IGNORED
) -> None:
    """Run the tasks of a client, until `connect` cancels them at the very end.

    A cancellation from outside reaches the body first: locks are released, and the session is
    closed, over the connection these tasks keep. All of that is limited in time.
    """
    with trio.CancelScope(shield=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            task_status.started(nursery)
