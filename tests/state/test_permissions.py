"""ACLs, identities and schemes, one rule at a time."""

import pytest

from coord import jute
from coord.state.permissions import (
    ANYONE,
    OPEN_ACL,
    OPEN_ACL_PREFIXED,
    OPEN_BODY_AT,
    READ_ACL,
    SUPER,
    AclList,
    authenticate,
    digest_id,
    encode_identities,
    fixed_acl,
    identities_of,
    masked_acl,
    may_read,
    permits,
    user_name,
)
from coord.state.record import ACL_LENGTH_AT, Kind, body_of, new_head, sealed
from coord.state.settings import FORMAT_LEVEL, Settings
from coord.wire.errors import AuthFailed, InvalidAcl, MarshallingError
from coord.wire.records import Acl, Id

BOB = Id("digest", "bob:hash")
SETTINGS = Settings(FORMAT_LEVEL, b"", b"", digest_id(b"root:secret"), ttl_nodes=False)


def acl(*entries: tuple[int, Id]) -> bytes:
    return jute.encode(AclList(tuple(Acl(*each) for each in entries)))


def test_the_open_acl_is_compared_as_bytes():
    assert bytes.fromhex("00000001 0000001f 00000005") + b"world\0\0\0\6anyone" == OPEN_ACL
    record = sealed(b"/a", new_head(Kind.PERSISTENT, 0, OPEN_ACL) + bytes(4) + bytes(68))
    assert record.startswith(OPEN_ACL_PREFIXED, ACL_LENGTH_AT)
    assert record[OPEN_BODY_AT:] == body_of(record)


@pytest.mark.parametrize(
    ("list_", "identities", "needs", "granted"),
    [
        (OPEN_ACL, (), 31, True),
        (READ_ACL, (), 1, True),
        (READ_ACL, (), 2, False),
        (READ_ACL, (), 1 | 16, True),
        (acl((2, BOB)), (BOB,), 2, True),
        (acl((2, BOB)), (), 2, False),
        (acl((2, BOB)), (Id("digest", "bob:other"),), 2, False),
        (acl((2, BOB)), (Id("sasl", "bob:hash"),), 2, False),
        (acl((1, BOB), (2, BOB)), (BOB,), 2, True),
        (acl((1, BOB)), (SUPER,), 16, True),
        (acl(), (), 31, True),
        (b"\xff\xff\xff\xff", (), 31, True),
        (acl((1, Id("world", "somebody"))), (ANYONE,), 1, False),
        (acl((1, Id("ip", "10.0.0.0/8"))), (Id("ip", "10.9.8.7"),), 1, True),
        (acl((1, Id("ip", "10.0.0.0/8"))), (Id("ip", "11.9.8.7"),), 1, False),
        (acl((1, Id("ip", "10.0.0.0/32"))), (Id("ip", "10.0.0.1"),), 1, False),
        (acl((1, Id("ip", "fe80::/16"))), (Id("ip", "fe80::1"),), 1, True),
        (acl((1, Id("ip", "10.0.0.1"))), (Id("ip", "::ffff:10.0.0.1"),), 1, True),
        (acl((1, Id("ip", "::1"))), (Id("ip", "0.0.0.1"),), 1, False),
        (acl((1, Id("ip", "10.0.0.1"))), (Id("ip", "nonsense"),), 1, False),
        (acl((1, Id("ip", None))), (Id("ip", None),), 1, True),
    ],
)
def test_an_acl_permits(list_, identities, needs, granted):
    assert permits(list_, identities, needs) is granted
    if needs == 1:
        assert may_read(list_, identities) is granted


def test_identities_travel_as_a_vector():
    identities = (Id("ip", "127.0.0.1"), BOB, Id("x", None))
    assert identities_of(encode_identities(identities)) == identities
    assert identities_of(b"\xff\xff\xff\xff") == ()


def test_auth_becomes_who_one_is_and_doubles_go():
    asked = acl((1, Id("auth", "whatever")), (2, ANYONE), (2, ANYONE))
    assert fixed_acl(asked, (Id("ip", "1.2.3.4"), SUPER, BOB)) == acl((1, BOB), (2, ANYONE))
    alice = Id("x509", "CN=alice")
    assert fixed_acl(asked, (alice, BOB)) == acl((1, alice), (1, BOB), (2, ANYONE))


@pytest.mark.parametrize(
    ("who", "error"),
    [
        (Id("world", "me"), InvalidAcl),
        (Id(None, "anyone"), InvalidAcl),
        (Id(None, None), InvalidAcl),
        (Id("super", ""), InvalidAcl),
        (Id("auth", ""), InvalidAcl),
        (Id("digest", "bob"), InvalidAcl),
        (Id("digest", "bob:"), InvalidAcl),
        (Id("digest", "a:b:c"), InvalidAcl),
        (Id("digest", ":"), InvalidAcl),
        (Id("ip", "1.2.3"), InvalidAcl),
        (Id("x509", "alice"), InvalidAcl),
        (Id("ip", "1.2.3.4/"), InvalidAcl),
        (Id("ip", "1.2.3.4/-1"), InvalidAcl),
        (Id("ip", "1.2.3.4/33"), InvalidAcl),
        (Id("ip", "1.2.3.4/8/8"), InvalidAcl),
        (Id("world", None), MarshallingError),
        (Id("digest", None), MarshallingError),
        (Id("ip", None), MarshallingError),
        (Id("x509", None), MarshallingError),
    ],
)
def test_an_acl_cannot_name_everything(who, error):
    with pytest.raises(error):
        fixed_acl(acl((31, who)), ())


@pytest.mark.parametrize(
    "who",
    [
        ANYONE,
        BOB,
        Id("digest", ":b"),
        Id("digest", "a:b:"),
        Id("ip", "1.2.3.4"),
        Id("ip", "::1/64"),
    ],
)
def test_an_acl_keeps_what_it_may_name(who):
    assert fixed_acl(acl((31, who)), ()) == acl((31, who))


def test_hashes_are_masked_and_nothing_else():
    shown = masked_acl(acl((1, BOB), (2, ANYONE), (3, Id("ip", "1.2.3.4"))))
    assert shown == acl((1, Id("digest", "bob:x")), (2, ANYONE), (3, Id("ip", "1.2.3.4")))


def test_a_digest_is_made_as_zookeeper_makes_it():
    assert digest_id(b"super:test") == "super:D/InIHSb7yEEbrWz8b9l71RjZJU="


def test_a_password_adds_an_identity_once():
    once = authenticate("digest", b"bob:bob", (), SETTINGS)
    assert once == (Id("digest", digest_id(b"bob:bob")),)
    assert authenticate("digest", b"bob:bob", once, SETTINGS) == once


def test_the_super_users_password_adds_two():
    assert authenticate("digest", b"root:secret", (), SETTINGS)[0] == SUPER


def test_a_credential_need_not_be_text():
    ((who),) = authenticate("digest", b"\xff\xfe:x", (), SETTINGS)
    assert identities_of(encode_identities((who,))) == (who,)


@pytest.mark.parametrize(
    ("scheme", "credential"),
    [("world", b"anyone"), ("auth", b""), ("sasl", b"x"), (None, b"x"), ("digest", None)],
)
def test_other_ways_to_show_who_one_is_fail(scheme, credential):
    with pytest.raises(AuthFailed):
        authenticate(scheme, credential, (), SETTINGS)


@pytest.mark.parametrize(
    ("who", "name"),
    [(BOB, "bob"), (Id("ip", "1.2.3.4"), "1.2.3.4"), (SUPER, ""), (Id("digest", None), "")],
)
def test_a_user_is_shown_without_secrets(who, name):
    assert user_name(who) == name
