"""The watches of a shell: each is a task that writes down events as they come."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import trio

from client import Client, EventType, Resynced, Znode, ZooKeeperError
from client.errors import ClientClosed
from client.watches import ChildrenWatch, Watch
from coord.cli.shell.output import Output

Kind = Literal["data", "children", "persistent"]

KINDS: Final[tuple[Kind, ...]] = ("data", "children", "persistent")


def event_name(kind: EventType) -> str:
    """Return ZooKeeper's name of an event: NodeCreated."""
    return "".join(part.title() for part in kind.name.split("_"))


class Watches:
    """What is watched, and whether events are written."""

    def __init__(self, nursery: trio.Nursery, output: Output) -> None:
        self.are_printed = True
        """Whether events are written: `printwatches`."""
        self._nursery = nursery
        self._output = output
        self._scopes: dict[tuple[str, Kind], trio.CancelScope] = {}
        self._none = trio.Event()
        self._none.set()

    def has(self, path: str, kind: Kind) -> bool:
        """Whether there is such a watch."""
        return (path, kind) in self._scopes

    async def read(self, zk: Client, path: str, *, or_creation: bool = False) -> Znode | None:
        """Read a znode, and watch its data until the next change; on request, its creation too."""
        if self.has(path, "data"):
            return await zk.get(path) if await zk.exists(path) else None
        watch = zk.watch(path)
        state = await anext(watch)
        if state is not None or or_creation:
            self._start(path, "data", lambda: self._wait_for_data(watch, path, state))
        return state

    async def read_children(self, zk: Client, path: str) -> list[str] | None:
        """Read the names of children, and watch them until the next change."""
        if self.has(path, "children"):
            return sorted(await zk.get_children(path))
        watch = zk.watch_children(path)
        names = await anext(watch)
        if names is not None:
            self._start(path, "children", lambda: self._wait_for_children(watch, path))
        return names

    async def add(self, zk: Client, path: str, *, recursive: bool) -> None:
        """Watch a znode, or all below it too, until the watch is removed."""
        self.remove(path, frozenset({"persistent"}))
        events = zk.events(path, recursive=recursive)
        await anext(events)  # from here on nothing is missed

        async def follow() -> None:
            async for event in events:
                if isinstance(event, Resynced):
                    self._tell("Resynced", path)
                else:
                    self._tell(event_name(event.kind), event.path, zxid=event.zxid)

        self._start(path, "persistent", follow)

    def remove(self, path: str, kinds: frozenset[Kind]) -> bool:
        """End the watches of a path; whether there were any."""
        found = [self._scopes.pop((path, kind), None) for kind in sorted(kinds)]
        for scope in found:
            if scope is not None:
                scope.cancel()
        self._note()
        return any(scope is not None for scope in found)

    def clear(self) -> None:
        """End all watches."""
        for path, _kind in list(self._scopes):
            self.remove(path, frozenset(KINDS))

    async def wait_until_none(self) -> None:
        """Wait until nothing is watched any longer."""
        await self._none.wait()

    def _start(self, path: str, kind: Kind, follow: Callable[[], Awaitable[None]]) -> None:
        scope = trio.CancelScope()
        self._scopes[path, kind] = scope
        self._note()

        async def task() -> None:
            with scope:
                try:
                    await follow()
                except ClientClosed:
                    pass  # the session has ended, and what it watched with it
                except ZooKeeperError as error:
                    name = type(error).__name__
                    self._output.fault(name, f"the watch of {path} ends: {name}")
            if self._scopes.get((path, kind)) is scope:
                del self._scopes[path, kind]
                self._note()

        self._nursery.start_soon(task)

    def _note(self) -> None:
        if not self._scopes:
            self._none.set()
        elif self._none.is_set():  # else somebody may be waiting for this one
            self._none = trio.Event()

    async def _wait_for_data(self, watch: Watch, path: str, before: Znode | None) -> None:
        after = await anext(watch)
        if after is None:
            kind = EventType.NODE_DELETED
        elif before is None:
            kind = EventType.NODE_CREATED
        elif before.stat.czxid != after.stat.czxid:
            kind = EventType.NODE_DELETED  # and created again; the first change counts
        else:
            kind = EventType.NODE_DATA_CHANGED
        self._tell(event_name(kind), path)

    async def _wait_for_children(self, watch: ChildrenWatch, path: str) -> None:
        gone = await anext(watch) is None
        kind = EventType.NODE_DELETED if gone else EventType.NODE_CHILDREN_CHANGED
        self._tell(event_name(kind), path)

    def _tell(self, kind: str, path: str, *, zxid: int = -1) -> None:
        if self.are_printed:
            self._output.event(kind, path, **({"zxid": zxid} if zxid >= 0 else {}))
