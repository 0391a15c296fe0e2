"""One znode as an object of the user's class.

    service = zk.typed("/services/api", Service)
    await service.create(Service("host", 80))
    await service.update(lambda old: attrs.evolve(old, port=8080))

Rules:
1. A change replaces the data of one version, so what it rests on is what it replaces.
2. A change is made once, also when its reply was lost: a mark below the znode tells, as
   `client.recipes.once` has it. An ephemeral znode can have none; there the outcome may be unknown.
3. Changes by one client to one znode take turns.

A znode that is deleted and made anew begins with version 0 again: a change that rests on version 0
of the one may replace version 0 of the other.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast, overload

import attrs

from client import decide
from client.calls import Calls
from client.codec import BadData, Codec
from client.errors import ReplyLost
from client.operations import Operations
from client.recipes import multi, once
from client.recipes.config import ConfigWatch
from client.recipes.lines import Lines
from client.recipes.multi import Refused
from client.transactions import Guard
from client.znodes import Stat
from coord.wire.errors import BadVersion
from coord.wire.multi import MultiOperation
from coord.wire.records import Acl

T = TypeVar("T")


@attrs.frozen
class Found(Generic[T]):
    """A znode as it was read.

    found = await service.get()
    print(found.value.host, found.stat.version)
    """

    value: T
    """What it held."""
    stat: Stat
    """The rest; its version is what a change rests on."""


class Typed(Generic[T]):
    """A znode whose data are an object of a class. `zk.typed` makes one; it keeps nothing open.

    service = zk.typed("/services/api", Service)
    await service.create(Service("host", 80))
    print((await service.get()).value)
    """

    def __init__(  # noqa: PLR0913
        self,
        operations: Operations,
        calls: Calls,
        full: str,
        path: str,
        cls: type[T],
        codec: Codec,
        lines: Lines,
    ) -> None:
        self._operations = operations
        self._calls = calls
        self._full = full
        self._path = path
        self._cls = cls
        self._codec = codec
        self._lines = lines

    async def get(self) -> Found[T]:
        """Return value and Stat. Raises NoNode, and BadData with all that is wrong."""
        znode = await self._calls.get(self._full)
        try:
            return Found(self._codec.decode(znode.data, self._cls), znode.stat)
        except BadData as error:
            error.add_note(f"at {self._path}, version {znode.stat.version}")
            raise

    async def create(
        self,
        value: T,
        acl: Sequence[Acl] | None = None,
        *,
        ephemeral: bool = False,
        makepath: bool = False,
        idempotent: bool = False,
    ) -> Stat:
        """Create the znode; return its Stat. Raises NodeExists and all else as `zk.create` does."""
        data = self._codec.encode(value, self._cls)
        _, stat = await self._operations.create(
            self._path,
            data,
            acl,
            ephemeral=ephemeral,
            makepath=makepath,
            idempotent=idempotent,
            include_data=True,
        )
        return stat

    @overload
    async def update(self, change: Callable[[T], T], *, guard: Guard | None = ...) -> T: ...

    @overload
    async def update(self, change: T, since: Found[T], *, guard: Guard | None = ...) -> T: ...

    async def update(
        self,
        change: Callable[[T], T] | T,
        since: Found[T] | None = None,
        *,
        guard: Guard | None = None,
    ) -> T:
        """Replace the value by what a function makes of it, or one that was found by another.

            await service.update(lambda old: attrs.evolve(old, port=8080))

            found = await service.get()
            await service.update(attrs.evolve(found.value, port=8080), found)

        Returns the new value. The function is called again whenever somebody else was faster, so it
        must do nothing else. With `since`, that is BadVersion instead. `guard` is that of a lock:
        NoNode when it is not held any more. Raises NoNode, BadData, and OutcomeUnknown when nothing
        can tell whether it was done.
        """
        attempts = Attempts[T](self._calls, self._full, guard)
        turn = await self._lines.take(f"{self._full} for a change", alone=True, wait=True)
        try:
            while True:
                found = since or await self.get()
                value = cast(T, change) if since else cast(Callable[[T], T], change)(found.value)
                try:
                    data = self._codec.encode(value, self._cls)
                    return await attempts.replace(found.stat, value, data)
                except once.NotDone:
                    continue
                except BadVersion:
                    if since is not None:
                        raise
        finally:
            turn.leave()

    def watch(self) -> ConfigWatch[T]:
        """Iterate over its states: the value, or BadConfig while it is wrong or missing.

            async for state in service.watch():
                if isinstance(state, Service): ...

        As `zk.config`.
        """
        return ConfigWatch(self._calls, self._full, self._path, self._cls, self._codec)


class Attempts(Generic[T]):
    """One change, in as many attempts as it takes."""

    def __init__(self, calls: Calls, full: str, guard: Guard | None) -> None:
        self._calls = calls
        self._full = full
        self._guards = [] if guard is None else [multi.check(guard.path)]
        self._operation = once.Operation(calls, full, "update")
        self._values: list[T] = []  # what each would write: one more only when one was lost

    async def replace(self, stat: Stat, value: T, data: bytes) -> T:
        """Replace what is there at the version of a Stat; return the value that was written.

        Raise BadVersion when another version is there, NotDone when certainly nothing was done.
        """
        write = multi.set_data(self._full, data, stat.version)
        self._values.append(value)
        try:
            if stat.ephemeral_owner:
                await self._replace_unmarked(write, stat.version, data)
                return value
            note = b"%d" % len(self._values)
            done = await self._operation.attempt(*self._guards, write, note=note)
        except Refused as refused:
            self._values.pop()
            raise refused.error from None
        await once.sweep(self._calls, stat, self._full, done.time_ms)
        return self._values[int(done.note) - 1]

    async def _replace_unmarked(self, write: MultiOperation, version: int, data: bytes) -> None:
        try:
            await multi.commit(self._calls, *self._guards, write)
        except ReplyLost as lost:
            done = await decide.replaced(
                self._calls, self._full, data, version, lost, idempotent=False
            )
            if done is None:
                raise once.NotDone from lost
