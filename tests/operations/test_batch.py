"""The bytes of an operations entry."""

from hypothesis import given, settings
from hypothesis import strategies as st

from coord.operations import batch
from coord.state.permissions import identities_of
from coord.wire.records import Id

IDENTITIES = (Id("ip", "127.0.0.1"), Id("digest", "bob:hash"))

REQUESTS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 2**32 - 1),
        st.sampled_from([(), IDENTITIES]),
        st.integers(-(2**31), 2**31 - 1),
        st.binary(max_size=20),
    ),
    max_size=5,
)
BUNDLES = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), REQUESTS),
    max_size=4,
)


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), BUNDLES)
def test_what_is_encoded_is_decoded(time_ms, bundles):
    encoded = []
    for replica, start, first, requests in bundles:
        operations = [
            batch.encode_operation(
                batch.operation_head(session, attachment, identities),
                batch.encode_request(opcode, body),
            )
            for session, attachment, identities, opcode, body in requests
        ]
        encoded.append(batch.encode_bundle(replica, start, first, operations))
    entry = batch.encode_entry(time_ms, encoded)

    assert batch.time_of(entry) == time_ms
    found = list(batch.bundles_of(entry))
    assert [(b.replica, b.start, b.first, b.size) for b in found] == [
        (replica, start, first, len(requests)) for replica, start, first, requests in bundles
    ]
    for bundle, (*_, requests) in zip(found, bundles, strict=True):
        end = bundle.at
        for request in requests:
            session, attachment, identities, opcode, at, end = batch.operation_at(entry, end)
            assert (session, attachment, opcode) == (request[0], request[1], request[3])
            assert identities_of(identities) == request[2]
            assert entry[at:end] == request[4]
        assert end == bundle.end


def test_an_entry_without_bundles_is_its_time():
    assert list(batch.bundles_of(batch.encode_entry(5, []))) == []


def test_the_layout_is_what_the_module_says():
    operation = batch.encode_operation(batch.operation_head(1, 2, ()), b"\0\0\0\5body")
    assert operation == bytes.fromhex(
        "0000001a" "0000000000000001" "00000002" "0004" "00000000" "00000005"
    ) + b"body"  # fmt: skip
    bundle = batch.encode_bundle(3, 4, 5, [operation])
    assert bundle == bytes.fromhex("03000000040000000000000005000000010000001e") + operation
    assert batch.count_in(bundle) == 1
    assert batch.encode_entry(6, [bundle]) == bytes.fromhex("0000000000000006") + bundle
