"""Finding the instances of a service, and picking one that works.

Znodes: the children of the service's own, one an instance, made by `zk.member`; the data is that of
`Instance.encode`. A cache of them is kept, so picking asks no server.

Rules:
1. An instance that drains is not picked any more; who uses it already may go on.
2. An instance that fails EJECT_AFTER times on end is ejected: not picked for some seconds, for
   twice as long the next time, up to EJECT_FACTOR_MAX times as long. One success clears it, and a
   new registration of the same name begins with a clean slate.
3. When all that do not drain are ejected, the one is picked whose ejection ends first: a doubtful
   instance is better than none.
4. What is no instance is left out, and named among the problems.

Limits: an instance that died is seen until its session has expired; until then only its failures
tell. While there is no connection, the instances known last are picked: see `stale_since`. Failures
are counted by this client alone.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from client.cache import Cache, open_cache
from client.calls import Calls
from client.recipes.instances import STRATEGIES, Instance, StrategyName, Usage

EJECT_AFTER = 3
"""Failures on end after which an instance is ejected."""

EJECT_SECONDS = 5.0
"""For how long, the first time."""

EJECT_FACTOR_MAX = 64
"""How much longer it may become."""


class NoInstance(Exception):  # noqa: N818  (it says what there is)
    """There is no instance of the service that could be picked.

    async with zk.discover("/services/web") as web:
        try:
            instance = web.pick()
        except NoInstance:
            instance = await web.wait()
    """


class Discovery:
    """The instances of a service, while a block runs.

        async with zk.discover("/services/web") as web:
            with web.using() as instance:
                await ask(instance.address)

    What `using` is left with by an exception counts as a failure of the instance.
    """

    def __init__(
        self,
        cache: Cache,
        path: str,
        strategy: StrategyName = "round_robin",
        *,
        eject_after: int = EJECT_AFTER,
        eject_seconds: float = EJECT_SECONDS,
    ) -> None:
        self.path = path
        """The service."""
        self.problems: dict[str, str] = {}
        """What is wrong with the znodes that are no instances, by name."""
        self._cache = cache
        self._strategy = STRATEGIES[strategy]
        self._eject_after = eject_after
        self._eject_seconds = eject_seconds
        self._usages: dict[str, Usage] = {}
        self._seen = -1

    @property
    def instances(self) -> list[Instance]:
        """All instances, those that drain or are ejected too, sorted by name.

        async with zk.discover("/services/web") as web:
            for each in web.instances:
                print(each.name, each.address, web.is_ejected(each))
        """
        self._refresh()
        return [self._usages[name].instance for name in sorted(self._usages)]

    @property
    def stale_since(self) -> float | None:
        """Since when changes may be missing, by trio.current_time(); None when none are known.

        async with zk.discover("/services/web") as web:
            if web.stale_since is not None:
                print("known last", trio.current_time() - web.stale_since, "s ago")
        """
        return self._cache.stale_since

    def pick(
        self, key: str = "", *, where: Callable[[Instance], bool] = lambda _instance: True
    ) -> Instance:
        """Return an instance to use now; raise NoInstance where there is none.

            instance = web.pick(where=lambda each: each.labels.get("zone") == "a")

        key: what the strategy "sticky" goes by. where: which instances will do.
        """
        return self._pick(key, where).instance

    @contextmanager
    def using(
        self, key: str = "", *, where: Callable[[Instance], bool] = lambda _instance: True
    ) -> Iterator[Instance]:
        """Use an instance while a block runs, and remember how it went. Arguments as `pick`."""
        usage = self._pick(key, where)
        usage.in_use += 1
        try:
            yield usage.instance
        except Exception:
            self._failed(usage)
            raise
        else:
            self._succeeded(usage)
        finally:
            usage.in_use -= 1

    async def wait(self, key: str = "") -> Instance:
        """Wait until there is an instance, and pick one. Arguments as `pick`."""
        while True:
            seen = self._cache.published
            try:
                instance = self.pick(key)
            except NoInstance:
                await self._cache.wait_beyond(seen)
            else:
                await trio.lowlevel.checkpoint()
                return instance

    def failed(self, instance: Instance) -> None:
        """Count a failure, where `using` does not fit.

        async with zk.discover("/services/web") as web:
            instance = await web.wait()
            web.failed(instance)
            web.succeeded(instance)
        """
        if instance.name in self._usages:
            self._failed(self._usages[instance.name])

    def succeeded(self, instance: Instance) -> None:
        """Count a success, where `using` does not fit."""
        if instance.name in self._usages:
            self._succeeded(self._usages[instance.name])

    def is_ejected(self, instance: Instance) -> bool:
        """Whether it is not picked for now, since it failed."""
        usage = self._usages.get(instance.name)
        return usage is not None and usage.ejected_until > trio.current_time()

    def _pick(self, key: str, where: Callable[[Instance], bool]) -> Usage:
        self._refresh()
        usages = [
            usage
            for usage in self._usages.values()
            if not usage.instance.draining and where(usage.instance)
        ]
        if not usages:
            raise NoInstance(f"no instance of {self.path} can be picked")
        now = trio.current_time()
        working = [usage for usage in usages if usage.ejected_until <= now]
        if working:
            usage = self._strategy(working, key)
        else:
            usage = min(usages, key=lambda usage: usage.ejected_until)
        usage.turn += 1 / usage.instance.weight
        return usage

    def _failed(self, usage: Usage) -> None:
        usage.failures += 1
        if usage.failures >= self._eject_after:
            factor = min(EJECT_FACTOR_MAX, 2**usage.ejections)
            usage.failures = 0
            usage.ejections += 1
            usage.ejected_until = trio.current_time() + self._eject_seconds * factor

    def _succeeded(self, usage: Usage) -> None:
        usage.failures = usage.ejections = 0
        usage.ejected_until = trio.current_time()

    def _refresh(self) -> None:
        """Take over what has changed since the last look."""
        if self._seen == self._cache.published:
            return
        self._seen = self._cache.published
        before, self._usages, self.problems = self._usages, {}, {}
        turn = min((usage.turn for usage in before.values()), default=0.0)
        for name in self._cache.children():
            znode = self._cache[f"/{name}"]
            try:
                instance = Instance.decode(name, znode.data)
            except ValueError as error:
                self.problems[name] = str(error)
                continue
            usage = before.get(name)
            if usage is None or usage.czxid != znode.stat.czxid:
                usage = Usage(instance, znode.stat.czxid, turn)
            usage.instance = instance
            self._usages[name] = usage


@asynccontextmanager
async def discovery(
    calls: Calls,
    full: str,
    nursery: trio.Nursery,
    make: Callable[[Cache], Discovery],
) -> AsyncIterator[Discovery]:
    """Keep the instances at hand while the body runs."""
    async with open_cache(calls, full, nursery) as cache:
        yield make(cache)
