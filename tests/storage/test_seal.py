"""The checksum of stored values."""

from hypothesis import given
from hypothesis import strategies as st

from coord.storage.seal import seal, unseal


@given(key=st.binary(max_size=40), value=st.binary(max_size=300))
def test_what_was_sealed_is_unsealed(key, value):
    assert unseal(key, seal(key, value)) == value


@given(
    key=st.binary(min_size=1, max_size=40),
    value=st.binary(max_size=300),
    bit=st.integers(min_value=0),
    in_key=st.booleans(),
)
def test_a_flipped_bit_is_found_in_the_value_its_checksum_and_its_key(key, value, bit, in_key):
    stored = seal(key, value)
    damaged = bytearray(key if in_key else stored)
    bit %= len(damaged) * 8
    damaged[bit // 8] ^= 1 << bit % 8
    assert unseal(*((bytes(damaged), stored) if in_key else (key, bytes(damaged)))) is None


@given(
    key=st.binary(min_size=1, max_size=40),
    value=st.binary(max_size=300),
    length=st.integers(min_value=0),
)
def test_a_value_that_was_cut_is_found(key, value, length):
    stored = seal(key, value)
    assert unseal(key, stored[: length % len(stored)]) is None
