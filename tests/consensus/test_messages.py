"""Messages between replicas as bytes."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord import jute
from coord.consensus import messages
from coord.consensus.log import Entry
from coord.consensus.messages import MESSAGES, Mark, Message

numbers = st.integers(0, (1 << 63) - 1)
chains = st.integers(0, (1 << 64) - 1)
marks = st.builds(Mark, index=numbers, chain=chains)
entries = st.builds(
    Entry,
    index=numbers,
    epoch=numbers,
    kind=st.integers(0, 2),
    chain=chains,
    payload=st.binary(max_size=50),
)
FIELDS = {
    "marks": st.lists(marks, max_size=4).map(tuple),
    "entries": st.lists(entries, max_size=4).map(tuple),
    "before": marks,
    "until": marks,
    "granted": st.booleans(),
    "empty": st.booleans(),
    "is_quorate": st.booleans(),
}


def built(cls: type[Message]) -> st.SearchStrategy[Message]:
    fields = {a.name: FIELDS.get(a.name, numbers) for a in attrs.fields(cls)}
    return st.builds(cls, **fields)


@given(st.one_of([built(cls) for cls in MESSAGES.values()]))
def test_every_message_survives_a_round_trip(message: Message) -> None:
    assert messages.decode(messages.encode(message)) == message


def test_every_message_has_a_tag_of_its_own() -> None:
    assert {cls.TAG for cls in MESSAGES.values()} == set(MESSAGES)
    assert len(MESSAGES) == 15
    assert max(MESSAGES) < 128  # the tags above are the driver's


@given(st.one_of([built(cls) for cls in MESSAGES.values()]), st.data())
def test_a_message_that_is_cut_or_followed_by_bytes_is_refused(
    message: Message, data: st.DataObject
) -> None:
    whole = messages.encode(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(jute.DecodeError):
        messages.decode(whole[:cut])
    with pytest.raises(jute.DecodeError):
        messages.decode(whole + b"\0")


@given(st.binary(max_size=100))
def test_garbage_is_refused_or_read_and_nothing_else(data: bytes) -> None:
    try:
        message = messages.decode(data)
    except jute.DecodeError:
        return
    assert type(message) in MESSAGES.values()
