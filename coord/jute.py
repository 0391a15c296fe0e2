"""How a record becomes bytes: Jute, the encoding of ZooKeeper, from the annotations of a class.

A record is a frozen attrs class whose annotations are the field types below, other records, or
vectors of either:

    @attrs.frozen
    class DeleteRequest:
        path: Name
        version: Int

The first use of a class compiles its codec: the fields, those of nested records included, become
straight-line Python around precompiled structs, so that neighbouring numbers travel in one call.
All numbers are big-endian; lengths and counts are signed 32-bit numbers, -1 means null.

What arrives is never trusted: a length or a count is compared with the bytes that are left before
anything is allocated, and whatever the bytes are, the only failure is `DecodeError`.

Source: org/apache/jute/BinaryInputArchive.java, BinaryOutputArchive.java.
"""

import enum
import itertools
import struct
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Protocol, Self, TypeVar

import attrs


class DecodeError(ValueError):
    """The bytes are no such record: too short, an impossible length, not UTF-8."""


class EncodeError(ValueError):
    """A field holds what its type cannot carry, as a number beyond its range."""


class Encoding(enum.Enum):
    """How one field travels; the field types below name these in their annotations."""

    BOOL = "?"
    INT = "i"
    LONG = "q"
    UNSIGNED = "Q"
    TEXT = "text"
    NAME = "text, never null"
    BUFFER = "bytes"
    BYTES = "bytes, never null"
    VECTOR = "items"
    ITEMS = "items, never null"
    TRAILING_BOOL = "the last byte, or nothing"


_SCALARS = frozenset({Encoding.BOOL, Encoding.INT, Encoding.LONG, Encoding.UNSIGNED})
_NULLABLE = frozenset({Encoding.TEXT, Encoding.BUFFER, Encoding.VECTOR})
_TEXTS = frozenset({Encoding.TEXT, Encoding.NAME})

_ENCODERS: dict[type, Callable[[Any], bytes]] = {}
_DECODERS: dict[type, Callable[[bytes, int], tuple[Any, int]]] = {}

T = TypeVar("T")

Bool = Annotated[bool, Encoding.BOOL]
"""One byte; every value but 0 reads as true."""

Int = Annotated[int, Encoding.INT]
"""Four bytes, signed."""

Long = Annotated[int, Encoding.LONG]
"""Eight bytes, signed."""

Unsigned = Annotated[int, Encoding.UNSIGNED]
"""Eight bytes, unsigned; unknown to ZooKeeper, for records of our own."""

Text = Annotated[str | None, Encoding.TEXT]
"""A length and UTF-8, or null."""

Name = Annotated[str, Encoding.NAME]
"""As `Text`, but a null that arrives is an error."""

Buffer = Annotated[bytes | None, Encoding.BUFFER]
"""A length and bytes, or null."""

Bytes = Annotated[bytes, Encoding.BYTES]
"""As `Buffer`, but a null that arrives is an error."""

Vector = Annotated[tuple[T, ...] | None, Encoding.VECTOR]
"""A count and so many items, or null."""

Items = Annotated[tuple[T, ...], Encoding.ITEMS]
"""As `Vector`, but a null that arrives is an error."""

TrailingBool = Annotated[bool | None, Encoding.TRAILING_BOOL]
"""One byte at the end of a frame which old peers leave out: None. Only as the last field."""


class SelfCoded(Protocol):
    """A record whose shape no list of fields describes; it brings its own codec."""

    def to_jute(self) -> bytes:
        """Return the bytes of this record."""

    @classmethod
    def from_jute(cls, data: bytes, offset: int) -> tuple[Self, int]:
        """Read the record at `offset`; return it and where it ends."""


def encode(record: object) -> bytes:
    """Return the bytes of `record`."""
    encoder = _ENCODERS.get(type(record)) or _compile_encoder(type(record))
    try:
        return encoder(record)
    except (struct.error, TypeError, AttributeError, UnicodeEncodeError) as error:
        raise EncodeError(f"{type(record).__name__}: {error}") from error


def decode(cls: type[T], data: bytes, offset: int = 0) -> tuple[T, int]:
    """Read the record of class `cls` at `offset`; return it and where it ends."""
    decoder = _DECODERS.get(cls) or _compile_decoder(cls)
    try:
        return decoder(data, offset)
    except (struct.error, ValueError) as error:
        raise DecodeError(f"{cls.__name__}: {error}") from error


def decode_all(cls: type[T], data: bytes) -> T:
    """Read the record of class `cls` that fills `data` to its last byte."""
    record, end = decode(cls, data)
    if end != len(data):
        raise DecodeError(f"{cls.__name__}: {len(data) - end} bytes left over")
    return record


@attrs.frozen
class _Field:
    """One field, as the compiler sees it."""

    name: str
    kind: Any
    """An `Encoding` for values and vectors, else a record class."""
    item: "_Field | None" = None
    """What a vector holds; None for all else."""


def _field(name: str, annotation: object) -> _Field:
    if isinstance(annotation, type) and (attrs.has(annotation) or _is_self_coded(annotation)):
        return _Field(name, annotation)
    encodings = [m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Encoding)]
    if not encodings:
        raise TypeError(f"field {name}: {annotation!r} says nothing about its encoding")
    (encoding,) = encodings
    if encoding in (Encoding.VECTOR, Encoding.ITEMS):
        return _Field(name, encoding, _field("an item of " + name, _item_annotation(annotation)))
    return _Field(name, encoding)


def _item_annotation(annotation: object) -> object:
    """Return T of Vector[T] or Items[T]."""
    (container, *_) = typing.get_args(annotation)
    if isinstance(container, types.UnionType) or typing.get_origin(container) is typing.Union:
        container = typing.get_args(container)[0]
    return typing.get_args(container)[0]


def _fields(cls: type) -> list[_Field]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return [_field(each.name, hints[each.name]) for each in attrs.fields(cls)]


def _is_self_coded(cls: type) -> bool:
    return hasattr(cls, "from_jute")


def _size_min(field: _Field) -> int:
    """Return the fewest bytes that a value of this field takes."""
    if field.kind in _SCALARS:
        return struct.calcsize(">" + field.kind.value)
    if isinstance(field.kind, Encoding):
        return 0 if field.kind is Encoding.TRAILING_BOOL else 4
    return 1 if _is_self_coded(field.kind) else sum(map(_size_min, _fields(field.kind)))


# The compiler. Generated names start with an underscore: the names of fields cannot collide.


class _Source:
    """Straight-line source that grows: a run of numbers waits until it must be one call."""

    def __init__(self) -> None:
        self.globals: dict[str, object] = {"_repair": _repair, "DecodeError": DecodeError}
        self._lines: list[str] = []
        self._numbers = itertools.count()
        self.depth = 1
        self.formats = ""
        self.run: list[str] = []

    def name(self) -> str:
        return f"_{next(self._numbers)}"

    def constant(self, value: object) -> str:
        name = self.name()
        self.globals[name] = value
        return name

    def add(self, *lines: str) -> None:
        self._lines += ["    " * self.depth + line for line in lines]

    def take_run(self) -> tuple[struct.Struct, list[str]]:
        run = struct.Struct(">" + self.formats), self.run
        self.formats, self.run = "", []
        return run

    def number(self, format_: str, value: str) -> str:
        self.formats += format_
        self.run.append(value)
        return value

    def function(self, signature: str) -> Any:
        source = "\n".join([f"def _codec({signature}):", *self._lines])
        exec(compile(source, f"<jute {signature}>", "exec"), self.globals)
        return self.globals["_codec"]


class _DecoderSource(_Source):
    """Source of a decoder. A record is built by the last expression, from plain variables."""

    def value(self, field: _Field) -> str:
        """Add what reads `field`; return the expression that is its value."""
        if field.kind in _SCALARS:
            return self.number(field.kind.value, self.name())
        if field.kind is Encoding.TRAILING_BOOL:
            return self._trailing_bool()
        if isinstance(field.kind, Encoding):
            return self._sized(field)
        if _is_self_coded(field.kind):
            self.flush()
            result = self.name()
            self.add(f"{result}, _at = {self.constant(field.kind)}.from_jute(_data, _at)")
            return result
        values = ", ".join([self.value(each) for each in _fields(field.kind)])
        return f"{self.constant(field.kind)}({values})"

    def flush(self) -> None:
        """Read the numbers that wait."""
        if self.run:
            run, targets = self.take_run()
            unpack = self.constant(run.unpack_from)
            self.add(f"{', '.join(targets)}, = {unpack}(_data, _at)", f"_at += {run.size}")

    def _trailing_bool(self) -> str:
        self.flush()
        result = self.name()
        self.add(f"{result} = _data[_at] != 0 if _at < _size else None", "_at += _at < _size")
        return result

    def _sized(self, field: _Field) -> str:
        """Text, bytes or items: a length first, null below zero."""
        length, result = self.number("i", self.name()), self.name()
        self.flush()
        self.add(
            f"if {length} < {-1 if field.kind in _NULLABLE else 0}:",
            f"    raise DecodeError(f'length {{{length}}} of {field.name}')",
            f"if {length} < 0:",
            f"    {result} = None",
            "else:",
        )
        self.depth += 1
        if field.item is None:
            self._bytes(field, length, result)
        else:
            self._items(field.item, length, result)
        self.depth -= 1
        return result

    def _bytes(self, field: _Field, length: str, result: str) -> None:
        end = self.name()
        self.add(
            f"{end} = _at + {length}",
            f"if {end} > _size:",
            f"    raise DecodeError(f'{{{length}}} bytes of {field.name}, {{_size - _at}} left')",
        )
        if field.kind in _TEXTS:
            self.add(
                "try:",
                f"    {result} = _data[_at:{end}].decode()",
                "except UnicodeDecodeError:",
                f"    {result} = _repair(_data[_at:{end}])",
            )
        else:
            self.add(f"{result} = _data[_at:{end}]")
        self.add(f"_at = {end}")

    def _items(self, item: _Field, count: str, result: str) -> None:
        least = _size_min(item)
        if least == 0:
            raise TypeError(f"{item.name} may be of no bytes: nothing would bound their count")
        self.add(
            f"if {count} > (_size - _at) // {least}:",
            f"    raise DecodeError(f'{{{count}}} times {item.name}, {{_size - _at}} bytes left')",
            f"{result} = []",
            f"for _ in range({count}):",
        )
        self.depth += 1
        value = self.value(item)
        self.flush()
        self.add(f"{result}.append({value})")
        self.depth -= 1
        self.add(f"{result} = tuple({result})")


class _EncoderSource(_Source):
    """Source of an encoder: the parts are joined by its last expression."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def value(self, field: _Field, value: str) -> None:
        """Add what writes `value` as `field`."""
        if field.kind in _SCALARS:
            self.number(field.kind.value, value)
        elif field.kind is Encoding.TRAILING_BOOL:
            self.flush()
            self.parts.append(f"(b'' if {value} is None else b'\\1' if {value} else b'\\0')")
        elif isinstance(field.kind, Encoding):
            self._sized(field, value)
        elif _is_self_coded(field.kind):
            self.flush()
            self.parts.append(f"{value}.to_jute()")
        else:
            record = self.name()
            self.add(f"{record} = {value}")
            for each in _fields(field.kind):
                self.value(each, f"{record}.{each.name}")

    def flush(self) -> None:
        """Make the numbers that wait a part."""
        if self.run:
            run, values = self.take_run()
            self.parts.append(f"{self.constant(run.pack)}({', '.join(values)})")

    def joined(self) -> str:
        """Return the expression of all parts so far, and start over."""
        self.flush()
        parts, self.parts = self.parts, []
        return parts[0] if len(parts) == 1 else f"b''.join(({''.join(p + ', ' for p in parts)}))"

    def _sized(self, field: _Field, value: str) -> None:
        length, body = self.name(), self.name()
        self.add(f"{body} = {value}")
        if field.kind in _NULLABLE:
            self.add(f"if {body} is None:", f"    {length}, {body} = -1, b''", "else:")
            self.depth += 1
        if field.kind in _TEXTS:
            self.add(f"{body} = {body}.encode()")
        self.add(f"{length} = len({body})")
        if field.item is not None:
            self._items(field.item, body)
        if field.kind in _NULLABLE:
            self.depth -= 1
        self.number("i", length)
        self.flush()
        self.parts.append(body)

    def _items(self, item: _Field, body: str) -> None:
        outer = self.formats, self.run, self.parts
        self.formats, self.run, self.parts = "", [], []
        items, each = self.name(), self.name()
        self.add(f"{items} = []", f"for {each} in {body}:")
        self.depth += 1
        self.value(item, each)
        self.add(f"{items}.append({self.joined()})")
        self.depth -= 1
        self.add(f"{body} = b''.join({items})")
        self.formats, self.run, self.parts = outer


def _repair(raw: bytes) -> str:
    """Read what Java writes for characters beyond 16 bits: each half of a pair as three bytes."""
    return raw.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")


def _compile_encoder(cls: type) -> Callable[[Any], bytes]:
    source = _EncoderSource()
    source.value(_field(cls.__name__, cls), "_record")
    source.add(f"return {source.joined()}")
    return _ENCODERS.setdefault(cls, source.function("_record"))


def _compile_decoder(cls: type) -> Callable[[bytes, int], tuple[Any, int]]:
    source = _DecoderSource()
    source.add("_size = len(_data)")
    result = source.value(_field(cls.__name__, cls))
    source.flush()
    source.add(f"return {result}, _at")
    return _DECODERS.setdefault(cls, source.function("_data, _at"))
