"""Configuration in a znode: JSON in, checked attrs objects out, again after each change."""

import json
from typing import Any, Generic, TypeVar

import attrs
import cattrs
from cattrs.preconf.json import make_converter

from client.calls import Calls
from client.watches import Iteration, Watch
from client.znodes import Stat, Znode

Settings = TypeVar("Settings")

CONVERTER = make_converter(forbid_extra_keys=True, detailed_validation=True)
"""Turns JSON into the classes of users. An unknown key is an error: it may be a misspelling."""


@attrs.frozen
class BadConfig(Generic[Settings]):
    """The configuration is missing or wrong; what was in force before stays in `last_good`."""

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

    def __init__(self, calls: Calls, full: str, path: str, cls: type[Settings]) -> None:
        self._watch = Watch(calls, full)
        self._path = path
        self._cls = cls
        self._last_good: Settings | None = None
        super().__init__()

    async def _next(self) -> Settings | BadConfig[Settings]:
        znode = await self._watch.__anext__()
        problems: tuple[str, ...] = (f"{self._path} does not exist",)
        if znode is not None:
            try:
                self._last_good = structure(self._cls, znode)
            except ConfigError as error:
                problems = error.problems
            else:
                return self._last_good
        stat = None if znode is None else znode.stat
        return BadConfig(self._path, problems, self._last_good, stat)

    def _leave(self) -> None:
        self._watch.stop()


class ConfigError(ValueError):
    """The data is no such configuration."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        """All that is wrong."""


def structure(cls: type[Settings], znode: Znode) -> Settings:
    """Return what a znode holds as an object of a class; raise ConfigError with all faults."""
    try:
        raw: Any = json.loads(znode.data)
    except ValueError as error:
        raise ConfigError((f"not JSON: {error}",)) from error
    try:
        return CONVERTER.structure(raw, cls)
    except Exception as error:
        problems = cattrs.transform_error(error, path="$", format_exception=_describe)
        raise ConfigError(tuple(problems)) from error


def _describe(error: BaseException, _cls: type | None) -> str:
    if isinstance(error, KeyError):
        return f"missing key {error.args[0]!r}"
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return f"unknown keys: {', '.join(sorted(error.extra_fields))}"
    return str(error) or type(error).__name__
