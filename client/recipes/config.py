"""Configuration in a znode: JSON in, checked attrs objects out, again after each change."""

import json
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs
import cattrs
from cattrs.preconf.json import JsonConverter, make_converter

from client.calls import Calls
from client.watches import Iteration, Watch
from client.znodes import Stat, Znode

Settings = TypeVar("Settings")

_JSON_NAMES = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
_JSON_NAMES |= {int: "a whole number", float: "a number", type(None): "null"}


def _converter() -> JsonConverter:
    """Return what turns JSON into the classes of users.

    It takes nothing for what it is not, as the text "5" for a number, and an unknown key is an
    error, for it may be a misspelling.
    """
    converter = make_converter(forbid_extra_keys=True, detailed_validation=True)

    def plain(kind: type, accepted: tuple[type, ...]) -> None:
        def structure(value: object, _cls: type) -> Any:
            if type(value) not in accepted:
                raise ValueError(f"{_json_name(kind)} is needed, not {_json_name(type(value))}")
            return kind(value)

        converter.register_structure_hook(kind, structure)

    plain(str, (str,))
    plain(bool, (bool,))
    plain(int, (int,))
    plain(float, (int, float))

    def record(cls: type) -> Callable[[object, type], Any]:
        from_object: Callable[[Any, type], Any] = converter.gen_structure_attrs_fromdict(cls)

        def structure(value: object, cls: type) -> Any:
            if not isinstance(value, dict):
                raise ValueError(f"an object is needed, not {_json_name(type(value))}")  # noqa: TRY004
            return from_object(value, cls)

        return structure

    converter.register_structure_hook_factory(attrs.has, record)
    return converter


def _json_name(kind: type) -> str:
    return _JSON_NAMES.get(kind, kind.__name__)


CONVERTER = _converter()
"""The converter of all configurations; hooks for further types may be registered with it."""


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
