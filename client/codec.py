"""What znodes hold, as objects of the user's classes: JSON and attrs classes by default.

    @attrs.frozen
    class Service:
        host: str
        port: int = attrs.field(default=80, validator=attrs.validators.gt(0))

    JSON.decode(b'{"host": "a"}', Service)      # Service(host='a', port=80)

Nothing is taken for what it is not: an unknown key is an error, for it may be a misspelling, and so
are a key that comes twice, the text "5" for a number, and NaN, which is no JSON.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.preconf.json import JsonConverter, make_converter

T = TypeVar("T")

_JSON_NAMES = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
_JSON_NAMES |= {int: "a whole number", float: "a number", type(None): "null"}


class BadData(ValueError):  # noqa: N818  (named after what is there)
    """The data are no such object.

    try:
        JSON.decode(b'{"hots": "a"}', Service)
    except BadData as error:
        print(error.problems)
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        """All that is wrong, each with the key it is about."""


def strict_converter() -> JsonConverter:
    """Return a new converter like that of `JSON`, for hooks of one's own.

        converter = strict_converter()
        converter.register_structure_hook(Duration, lambda text, _: Duration.parse(text))
        zk.config("/app", App, codec=Codec(converter))

    What it lacks a hook for is StructureHandlerNotFoundError when it is first met.
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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"keys that come twice: {', '.join(twice)}")
    return found


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def from_json(data: bytes) -> Any:
    """Return what JSON says; raise ValueError where it is none."""
    return json.loads(data, object_pairs_hook=_object, parse_constant=_constant)


def to_json(raw: Any) -> bytes:
    """Return JSON; raise ValueError for what has no JSON, as NaN."""
    text = json.dumps(raw, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


@attrs.frozen
class Codec:
    """How bytes become objects and objects become bytes, by way of dicts, lists and the like.

    codec = Codec(dumps=lambda raw: json.dumps(raw, indent=2).encode())
    data = codec.encode(Service("a", 80), Service)
    assert codec.decode(data, Service) == Service("a", 80)
    """

    converter: cattrs.Converter = attrs.field(factory=strict_converter)
    """Makes objects of dicts and the like, and the other way round."""
    loads: Callable[[bytes], Any] = from_json
    """Makes dicts and the like of bytes; raises ValueError where it cannot."""
    dumps: Callable[[Any], bytes] = to_json
    """The other way round."""
    name: str = "JSON"
    """What the format is called in problems."""

    def decode(self, data: bytes, cls: type[T]) -> T:
        """Return an object of a class; raise BadData with all that is wrong."""
        try:
            raw = self.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadData([f"not {self.name}: {error}"]) from error
        try:
            return self.converter.structure(raw, cls)
        except cattrs.StructureHandlerNotFoundError:
            raise  # it is the class for which there is no way, whatever the data
        except Exception as error:
            problems = cattrs.transform_error(error, path="$", format_exception=_describe)
            raise BadData(problems) from error

    def encode(self, value: object, cls: Any) -> bytes:
        """Return the bytes for an object of a class; raise ValueError or TypeError for others."""
        return self.dumps(self.converter.unstructure(value, unstructure_as=cls))


def _describe(error: BaseException, _cls: type | None) -> str:
    if isinstance(error, KeyError):
        return f"missing key {error.args[0]!r}"
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return f"unknown keys: {', '.join(sorted(error.extra_fields))}"
    return str(error) or type(error).__name__


JSON = Codec()
"""What is used where nothing else is said.

    assert JSON.decode(b'{"host": "a", "port": 80}', Service) == Service("a", 80)
"""
