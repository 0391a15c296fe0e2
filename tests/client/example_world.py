"""What the examples of the documentation are run in: an ensemble in memory, and names they use."""

import ast
import builtins
import inspect
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import attrs
import trio

import client
import client.testing
from coord.wire.numbers import OpCode
from tests.client.examples import compiled

SECONDS = 3.0
"""On the clock that jumps: for examples that go on for ever."""

SERVICE = b'{"host": "a", "port": 80}'

CONTENT = {
    "/a": b"1",
    "/app": b"",
    "/app/host": b"a",
    "/app/members": b"",
    "/app/port": b"80",
    "/app/primary": b"one",
    "/app/replicas": b"",
    "/app/settings": b'{"rate": "fast"}',
    "/b": b"2",
    "/jobs": b"",
    "/jobs/7": b"resize 7",
    "/jobs/done": b"",
    "/jobs/nightly": b"",
    "/jobs/nightly/state": b"",
    "/leader": b"me",
    "/services": b"",
    "/services/web": SERVICE,
    "/services/web/a": b'{"address": "10.0.0.7:8080", "labels": {"zone": "a"}}',
    "/settings": b"{}",
    "/state": b"idle",
    "/table": b"",
}
"""What is there before each example."""

VERSIONS = {"/leader": 3, "/state": 3}
"""Those that do not have version 0."""

MISSING = {"connect": "/a", "client.errors": "/jobs/7"}
"""What an example makes itself."""

REFUSED = {"Client.reconfig": client.ReconfigDisabled, "Term.resign_to": LookupError}
"""What an example meets at servers that do not permit it, or alone."""


@attrs.frozen
class Service:
    host: str
    port: int = 80


@attrs.frozen
class Settings:
    rate: float = 1.0


@attrs.frozen
class Duration:
    seconds: float


async def task(*_: object) -> None:
    """Stands for the user's own work."""
    await trio.lowlevel.checkpoint()


class Anything:
    """Stands for what a user's program has: it takes every call, and each can be awaited."""

    def __call__(self, *_: object, **__: object) -> "Anything":
        return self

    def __getattr__(self, name: str) -> "Anything":
        return self

    def __await__(self) -> Generator[Any, None, None]:
        return task().__await__()


class Library:
    """The package, but that its clients connect to the ensemble in memory."""

    def __init__(self, connect: Callable[..., Any]) -> None:
        self.connect = connect

    def __getattr__(self, name: str) -> Any:
        return getattr(client, name)


class World:
    """The names for one example, with a client of its own below a chroot of its own."""

    def __init__(self, servers: client.testing.Ensemble, chroot: str, missing: str) -> None:
        self._servers = servers
        self._chroot = chroot
        self._missing = missing

    def connect(
        self, hosts: str | client.ClientConfig = "", **options: Any
    ) -> AbstractAsyncContextManager[client.Client]:
        if isinstance(hosts, client.ClientConfig):
            options = {"when_away": hosts.when_away, **options}
        if isinstance(hosts, str) and hosts.startswith("replica:"):
            return client.connect(hosts, **options)
        options = {"auth": [("digest", "bob:secret")], **options}
        options.pop("clock", None)
        return self._servers.connect(chroot=self._chroot, **options)

    @asynccontextmanager
    async def names(self, code: str) -> AsyncIterator[dict[str, Any]]:
        """Yield those that an example uses."""
        wanted = names_in(code)
        async with AsyncExitStack() as stack:
            found: dict[str, Any] = {name: getattr(client, name) for name in client.__all__}
            found |= {"connect": self.connect, "client": Library(self.connect)}
            found |= {each.__name__: each for each in (attrs, json, logging, time, trio, OpCode)}
            found |= {each.__name__: each for each in (Duration, Service, Settings)}
            found |= {"App": Settings, "serve": task, "print": Anything()}
            if wanted & NEED_CLIENT.keys() | wanted & {"zk"}:
                zk = found["zk"] = await stack.enter_async_context(self.connect())
                await fill(zk, self._missing)
                if "queue" in code:
                    await zk.queue("/work").put(b"resize 7")
                for name in sorted(wanted & NEED_CLIENT.keys()):
                    made = NEED_CLIENT[name](zk)
                    if isinstance(made, AbstractAsyncContextManager):
                        made = await stack.enter_async_context(made)
                    found[name] = await made if inspect.isawaitable(made) else made
            if "servers" in wanted:
                found["servers"] = self._servers
            yield found


NEED_CLIENT: Mapping[str, Callable[[client.Client], Any]] = {
    "cache": lambda zk: zk.cache("/app"),
    "claim": lambda zk: zk.queue("/work").claim(),
    "fence": lambda zk: zk.fence("/fence"),
    "held": lambda zk: zk.lock("/held"),
    "queue": lambda zk: zk.queue("/work"),
    "service": lambda zk: zk.typed("/services/web", Service),
    "stat": lambda zk: zk.exists("/a"),
    "token": lambda zk: 7,
    "names": lambda zk: ["7"],
    "web": lambda zk: zk.discover("/services/web"),
}
"""What an example may use without having made it."""


async def fill(zk: client.Client, missing: str) -> None:
    await zk.create("/")
    async with zk.transaction() as all_at_once:
        for path, data in CONTENT.items():
            if path == missing:
                continue
            all_at_once.create(path, data)
            for _ in range(VERSIONS.get(path, 0)):
                all_at_once.set_data(path, data)


def names_in(code: str) -> frozenset[str]:
    tree = compiled(code, "an example", only_ast=True)
    return frozenset(each.id for each in ast.walk(tree) if isinstance(each, ast.Name))


async def run_example(servers: client.testing.Ensemble, number: int, name: str, code: str) -> None:
    """Run an example for a while."""
    world = World(servers, f"/example-{number}", MISSING.get(name, ""))
    async with world.names(code) as found:
        for each in names_in(code) - found.keys() - set(dir(builtins)):
            found[each] = Anything()
        try:
            with trio.move_on_after(SECONDS):
                outcome = eval(compiled(code, name), found)
                if isinstance(outcome, Awaitable):
                    await outcome
        except REFUSED.get(name, ()):
            pass
        except ExceptionGroup as group:
            if name not in REFUSED or group.split(REFUSED[name])[1] is not None:
                raise
