"""Records to bytes and back, whatever the bytes."""

import struct
from typing import Annotated, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord import jute
from coord.jute import (
    Bool,
    Buffer,
    Bytes,
    Int,
    Items,
    Long,
    Name,
    Text,
    TrailingBool,
    Unsigned,
    Vector,
)


@attrs.frozen
class Numbers:
    yes: Bool
    small: Int
    large: Long
    hash: Unsigned


@attrs.frozen
class Sized:
    text: Text
    name: Name
    buffer: Buffer
    raw: Bytes


@attrs.frozen
class Nested:
    before: Int
    numbers: Numbers
    after: Int
    sized: Sized


@attrs.frozen
class Lists:
    numbers: Vector[Int]
    names: Items[Name]
    texts: Vector[Text]
    records: Items[Nested]
    lists: Vector[Vector[Long]]


@attrs.frozen
class Greeting:
    version: Int
    extra: TrailingBool = None


@attrs.frozen
class Nothing:
    pass


@attrs.frozen
class Backwards:
    """Brings its own codec: two bytes, the low one first."""

    number: int

    def to_jute(self) -> bytes:
        return struct.pack("<H", self.number)

    @classmethod
    def from_jute(cls, data: bytes, offset: int) -> tuple["Backwards", int]:
        return cls(struct.unpack_from("<H", data, offset)[0]), offset + 2


@attrs.frozen
class Holder:
    first: Backwards
    middle: Int
    others: Items[Backwards]


NUMBERS = Numbers(True, -2, 3, 2**64 - 1)
NUMBERS_BYTES = "01 fffffffe 0000000000000003 ffffffffffffffff"
SIZED = Sized("é", "", b"", b"xyz")
SIZED_BYTES = "00000002 c3a9 00000000 00000000 00000003 78797a"
NESTED = Nested(7, NUMBERS, 8, SIZED)
NESTED_BYTES = f"00000007 {NUMBERS_BYTES} 00000008 {SIZED_BYTES}"

TABLE: list[tuple[Any, str]] = [
    (NUMBERS, NUMBERS_BYTES),
    (Numbers(False, 2**31 - 1, -(2**63), 0), "00 7fffffff 8000000000000000 0000000000000000"),
    (SIZED, SIZED_BYTES),
    (Sized(None, "n", None, b""), "ffffffff 00000001 6e ffffffff 00000000"),
    (Sized("", "\U0001f600", b"\xff", b"\0"), "00000000 00000004 f09f9880 00000001 ff 00000001 00"),
    (NESTED, NESTED_BYTES),
    (Lists(None, (), None, (), None), "ffffffff 00000000 ffffffff 00000000 ffffffff"),
    (
        Lists((), ("a",), (None, ""), (NESTED,), (None, (), (5,))),
        f"00000000  00000001 00000001 61  00000002 ffffffff 00000000  00000001 {NESTED_BYTES}"
        "  00000003 ffffffff 00000000 00000001 0000000000000005",
    ),
    (
        Lists((1, -1), (), (), (), ()),
        "00000002 00000001 ffffffff 00000000 00000000 00000000 00000000",
    ),
    (Greeting(1), "00000001"),
    (Greeting(1, False), "00000001 00"),
    (Greeting(1, True), "00000001 01"),
    (Nothing(), ""),
    (Backwards(258), "0201"),
    (Holder(Backwards(1), 2, (Backwards(3),)), "0100 00000002 00000001 0300"),
]
CLASSES = sorted({type(record) for record, _ in TABLE}, key=lambda cls: cls.__name__)

table = pytest.mark.parametrize(("record", "data"), TABLE, ids=lambda x: type(x).__name__)


@table
def test_a_record_has_exactly_these_bytes(record: Any, data: str) -> None:
    assert jute.encode(record) == bytes.fromhex(data)


@table
def test_these_bytes_are_exactly_this_record(record: Any, data: str) -> None:
    assert jute.decode_all(type(record), bytes.fromhex(data)) == record


@table
def test_a_record_is_read_from_any_offset_and_the_next_one_begins_where_it_ends(
    record: Any, data: str
) -> None:
    encoded = bytes.fromhex(data)
    after = b"" if isinstance(record, Greeting) else b"\xff\xff"
    assert jute.decode(type(record), b"\0" * 3 + encoded + after, 3) == (record, 3 + len(encoded))


@table
def test_a_record_cut_short_anywhere_is_a_decode_error(record: Any, data: str) -> None:
    encoded = bytes.fromhex(data)
    last_is_optional = isinstance(record, Greeting) and record.extra is not None
    for length in range(len(encoded) - last_is_optional):
        with pytest.raises(jute.DecodeError):
            jute.decode(type(record), encoded[:length])


@table
def test_bytes_left_over_are_an_error_only_where_the_record_must_fill_all(
    record: Any, data: str
) -> None:
    encoded = bytes.fromhex(data) + (b"\0\0" if isinstance(record, Greeting) else b"\0")
    jute.decode(type(record), encoded)
    with pytest.raises(jute.DecodeError, match="left over"):
        jute.decode_all(type(record), encoded)


def test_every_byte_but_zero_is_true() -> None:
    assert jute.decode_all(Greeting, bytes.fromhex("00000001 02")).extra is True
    assert jute.decode_all(Numbers, b"\xff" + bytes(20)).yes is True


@pytest.mark.parametrize("length", [-2, -(2**31)])
def test_a_negative_length_that_is_not_null_is_an_error(length: int) -> None:
    with pytest.raises(jute.DecodeError, match=f"length {length} of text"):
        jute.decode(Sized, struct.pack(">i", length) + bytes(12))


@pytest.mark.parametrize(
    "cls_and_data", [(Sized, "ffffffff ffffffff"), (Lists, "ffffffff ffffffff")]
)
def test_null_where_it_cannot_be_is_an_error(cls_and_data: tuple[type, str]) -> None:
    cls, data = cls_and_data
    with pytest.raises(jute.DecodeError, match="length -1 of name"):
        jute.decode(cls, bytes.fromhex(data))


def test_a_length_is_compared_with_the_bytes_that_are_left() -> None:
    with pytest.raises(jute.DecodeError, match="5 bytes of text, 4 left"):
        jute.decode(Sized, bytes.fromhex("00000005 61616161"))


def test_a_count_is_compared_with_the_bytes_that_are_left_before_anything_is_made() -> None:
    with pytest.raises(jute.DecodeError, match="2147483647 times an item of numbers, 8 bytes left"):
        jute.decode(Lists, bytes.fromhex("7fffffff 00000001 00000002"))


def test_bytes_that_are_no_utf_8_are_an_error() -> None:
    for garbage in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xed\xb0\x80\xed\xa0\x80"):
        with pytest.raises(jute.DecodeError):
            jute.decode(Sized, struct.pack(">i", len(garbage)) + garbage + bytes(12))


def test_the_surrogate_pairs_that_java_writes_are_read_as_one_character() -> None:
    data = struct.pack(">i", 8) + b"a\xed\xa0\xbd\xed\xb8\x80z" + bytes(12)
    assert jute.decode_all(Sized, data) == Sized("a\U0001f600z", "", b"", b"")


@pytest.mark.parametrize(
    "record",
    [
        Numbers(True, 2**31, 0, 0),
        Numbers(True, 0, 0, -1),
        Numbers(True, None, 0, 0),  # type: ignore[arg-type]
        Sized("\ud800", "", b"", b""),
        Sized("", None, b"", b""),  # type: ignore[arg-type]
        Sized("", "", "text", b""),  # type: ignore[arg-type]
        Lists((), (None,), (), (), ()),  # type: ignore[arg-type]
        Nested(1, SIZED, 1, SIZED),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_a_record_whose_fields_cannot_be_sent_is_an_encode_error(record: object) -> None:
    with pytest.raises(jute.EncodeError, match=type(record).__name__):
        jute.encode(record)


@attrs.frozen
class Bare:
    number: int


@attrs.frozen
class Unbounded:
    nothings: Vector[Nothing]


@attrs.frozen
class Mistaken:
    number: Annotated[int, "no encoding"]


@pytest.mark.parametrize("cls", [Bare, Unbounded, Mistaken])
def test_a_class_that_cannot_be_a_record_is_a_type_error_at_its_first_use(cls: type[Any]) -> None:
    with pytest.raises(TypeError):
        jute.decode(cls, b"")


def test_a_decode_error_names_the_record() -> None:
    with pytest.raises(jute.DecodeError, match="Numbers: "):
        jute.decode(Numbers, b"")


@given(st.sampled_from(CLASSES), st.binary(max_size=200))
def test_garbage_is_a_record_or_a_decode_error(cls: type[Any], garbage: bytes) -> None:
    try:
        record, end = jute.decode(cls, garbage)
    except jute.DecodeError:
        return
    assert end <= len(garbage)
    assert jute.decode_all(cls, jute.encode(record)) == record


_int = st.integers(-(2**31), 2**31 - 1)
_long = st.integers(-(2**63), 2**63 - 1)
_text = st.text(st.characters(exclude_categories=["Cs"]))
_numbers = st.builds(Numbers, st.booleans(), _int, _long, st.integers(0, 2**64 - 1))
_sized = st.builds(Sized, st.none() | _text, _text, st.none() | st.binary(), st.binary())
_nested = st.builds(Nested, _int, _numbers, _int, _sized)


def _vectors(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(item, max_size=3).map(tuple)


@given(
    st.builds(
        Lists,
        st.none() | _vectors(_int),
        _vectors(_text),
        st.none() | _vectors(st.none() | _text),
        _vectors(_nested),
        st.none() | _vectors(st.none() | _vectors(_long)),
    )
)
def test_what_is_written_is_read(record: Lists) -> None:
    assert jute.decode_all(Lists, jute.encode(record)) == record
