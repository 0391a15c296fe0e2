"""Configuration in a znode: bytes in, checked objects out, again after each change."""

from typing import Generic, TypeVar

import attrs

from client.calls import Calls
from client.codec import BadData, Codec
from client.watches import Iteration, Watch
from client.znodes import Stat

Settings = TypeVar("Settings")


@attrs.frozen
class BadConfig(Generic[Settings]):
    """The configuration is missing or wrong; what was in force before stays in `last_good`.

    async for settings in zk.config("/app/settings", Settings):
        if isinstance(settings, BadConfig):
            print(settings.path, settings.problems)
            settings = settings.last_good or Settings()
    """

    path: str
    """The znode."""
    problems: tuple[str, ...]
    """All that is wrong, each with the key it is about."""
    last_good: Settings | None
    """The latest configuration that was right; None when none has been."""
    stat: Stat | None
    """The Stat of the znode with the wrong data; None when there is no znode."""


class ConfigWatch(Iteration["Settings | BadConfig[Settings]"], Generic[Settings]):
    """The states of a configuration, checked; the first at once, then the latest after changes."""

    def __init__(
        self, calls: Calls, full: str, path: str, cls: type[Settings], codec: Codec
    ) -> None:
        self._watch = Watch(calls, full)
        self._path = path
        self._cls = cls
        self._codec = codec
        self._last_good: Settings | None = None
        super().__init__()

    async def _next(self) -> Settings | BadConfig[Settings]:
        znode = await self._watch.__anext__()
        problems: tuple[str, ...] = (f"{self._path} does not exist",)
        if znode is not None:
            try:
                self._last_good = self._codec.decode(znode.data, self._cls)
            except BadData as error:
                problems = error.problems
            else:
                return self._last_good
        stat = None if znode is None else znode.stat
        return BadConfig(self._path, problems, self._last_good, stat)

    def _leave(self) -> None:
        self._watch.stop()
