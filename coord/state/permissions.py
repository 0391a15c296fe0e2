"""Who may do what: ACLs as the bytes they are stored in, identities, schemes of authentication.

Nearly every znode is open to the world, so that case is one comparison of bytes; the others are
computed once for each ACL, set of identities and permission.
"""

import ipaddress
from base64 import b64encode
from functools import lru_cache
from hashlib import sha1
from typing import Final

import attrs

from coord import jute
from coord.jute import Vector
from coord.state.record import ACL_AT, ACL_LENGTH
from coord.state.settings import Settings
from coord.wire.errors import AuthFailed, InvalidAcl, MarshallingError
from coord.wire.numbers import Permission
from coord.wire.records import Acl, Id

ANYONE: Final = Id("world", "anyone")
SUPER: Final = Id("super", "")
"""Passes every check; given for the super user's credential."""

IDENTITIES_MAX: Final = 100
"""How many identities a connection may gather; they travel with each of its writes."""
IDENTITIES_BYTES_MAX: Final = 8192
"""How long they may be together; a write carries them in at most 65,535 bytes."""

_READ: Final = int(Permission.READ)
_CACHED: Final = 1024
"""How many results are kept: ACLs and identities are few beside znodes."""

ACL_ENTRIES_MAX: Final = 500
ACL_BYTES_MAX: Final = 16384
"""Longer ACLs are refused with InvalidAcl: each check of permission would read them."""


@attrs.frozen
class AclList:
    """A vector<ACL> by itself."""

    acls: Vector[Acl]
    """The entries; null as good as none."""


@attrs.frozen
class IdList:
    """A vector<Id> by itself."""

    ids: Vector[Id]
    """The identities."""


OPEN_ACL: Final = jute.encode(AclList((Acl(Permission.ALL, ANYONE),)))
OPEN_ACL_PREFIXED: Final = ACL_LENGTH.pack(len(OPEN_ACL)) + OPEN_ACL
"""As it lies in a record at `ACL_LENGTH_AT`."""
OPEN_BODY_AT: Final = ACL_AT + len(OPEN_ACL)
"""Where the data begins in a record with this ACL."""
READ_ACL: Final = jute.encode(AclList((Acl(Permission.READ, ANYONE),)))


@lru_cache(_CACHED)
def identities_of(encoded: bytes) -> tuple[Id, ...]:
    """Return the identities that travelled with an operation."""
    return jute.decode_all(IdList, encoded).ids or ()


def encode_identities(identities: tuple[Id, ...]) -> bytes:
    """Return identities as they travel."""
    return jute.encode(IdList(identities))


def may_read(acl: bytes, identities: tuple[Id, ...]) -> bool:
    """Tell whether an event about a node with this ACL may be told to a connection."""
    return acl == OPEN_ACL or permits(acl, identities, _READ)


@lru_cache(_CACHED)
def permits(acl: bytes, identities: tuple[Id, ...], needs: int) -> bool:
    """Tell whether an ACL grants any of the permissions in `needs` to any of the identities."""
    acls = jute.decode_all(AclList, acl).acls
    if not acls or any(each.scheme == SUPER.scheme for each in identities):
        return True
    return any(
        each.perms & needs and any(_matches(who, each.id) for who in (ANYONE, *identities))
        for each in acls
    )


def _matches(who: Id, granted: Id) -> bool:
    if who.scheme != granted.scheme:
        return False
    if who.scheme == "ip" and who.id and granted.id:
        return _is_within(who.id, granted.id)
    return who.id == granted.id


# The ACL of a create or a setACL.


@lru_cache(_CACHED)
def fixed_acl(acl: bytes, identities: tuple[Id, ...]) -> bytes:
    """Return the ACL to store: "auth" replaced by who asks, doubles removed.

    Raises InvalidAcl when it is empty, too long or names what cannot be, MarshallingError for a
    null id.
    """
    entries = dict.fromkeys(jute.decode_all(AclList, acl).acls or ())
    fixed: list[Acl] = []
    for each in entries:
        if each.id.scheme == "auth":
            known = [who for who in identities if who.scheme in ("digest", "x509")]
            if not known:
                raise InvalidAcl("auth without an authenticated identity")
            fixed += [Acl(each.perms, who) for who in known]
        elif _is_valid(each.id):
            fixed.append(each)
        else:
            raise InvalidAcl(f"{each.id.scheme}:{each.id.id}")
        if len(fixed) > ACL_ENTRIES_MAX:
            raise InvalidAcl(f"more than {ACL_ENTRIES_MAX} entries")
    encoded = jute.encode(AclList(tuple(fixed)))
    if not fixed or len(encoded) > ACL_BYTES_MAX:
        raise InvalidAcl(f"{len(fixed)} entries in {len(encoded)} bytes")
    return encoded


def _is_valid(who: Id) -> bool:
    """Tell whether an ACL may name this id."""
    if who.scheme not in ("world", "digest", "ip", "x509"):
        return False
    if who.id is None:
        raise MarshallingError(f"null id of scheme {who.scheme}")
    if who.scheme == "world":
        return who.id == ANYONE.id
    if who.scheme == "ip":
        return _network(who.id) is not None
    if who.scheme == "x509":
        return "=" in who.id
    # As ZooKeeper splits: empty parts at the end do not count, elsewhere they do.
    return who.id.rstrip(":").count(":") == 1


def masked_acl(acl: bytes) -> bytes:
    """Return the ACL for who is no admin of the node: without the hashes of passwords."""
    acls = jute.decode_all(AclList, acl).acls or ()
    return jute.encode(AclList(tuple(Acl(each.perms, _masked(each.id)) for each in acls)))


def _masked(who: Id) -> Id:
    if who.scheme != "digest" or who.id is None or ":" not in who.id:
        return who
    return Id(who.scheme, who.id.partition(":")[0] + ":x")


# Addresses.

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _network(text: str) -> tuple[_Address, int] | None:
    """Read "address" or "address/bits"; None when it is neither."""
    host, slash, suffix = text.partition("/")
    address = _address(host)
    if address is None:
        return None
    if not slash:
        return address, address.max_prefixlen
    if not (suffix.isascii() and suffix.isdecimal()) or int(suffix) > address.max_prefixlen:
        return None
    return address, int(suffix)


def _is_within(host: str, text: str) -> bool:
    address, network = _address(host), _network(text)
    if address is None or network is None or address.version != network[0].version:
        return False
    ignored = address.max_prefixlen - network[1]
    return int(address) >> ignored == int(network[0]) >> ignored


# Authentication.


def digest_id(credential: bytes) -> str:
    """Return the id of a "user:password": user, and a hash over both."""
    user = credential.partition(b":")[0].decode(errors="replace")
    return f"{user}:{b64encode(sha1(credential, usedforsecurity=False).digest()).decode()}"


def authenticate(
    scheme: str | None, credential: bytes | None, identities: tuple[Id, ...], settings: Settings
) -> tuple[Id, ...]:
    """Return the identities of a connection after it showed a credential; raises AuthFailed."""
    if scheme == "ip":
        return identities  # the address is known anyway; ZooKeeper agrees and does nothing
    if scheme != "digest" or credential is None:
        raise AuthFailed(f"scheme {scheme}")
    known = digest_id(credential)
    is_super = known == settings.super_digest
    shown = [SUPER, Id("digest", known)] if is_super else [Id("digest", known)]
    gathered = tuple(dict.fromkeys([*identities, *shown]))
    encoded_size = len(encode_identities(gathered))
    if len(gathered) > IDENTITIES_MAX or encoded_size > IDENTITIES_BYTES_MAX:
        raise AuthFailed("too many identities on one connection")
    return gathered


def user_name(who: Id) -> str:
    """Return an identity without its secret, as whoAmI shows it."""
    if who.scheme == SUPER.scheme or who.id is None:
        return ""
    return who.id.partition(":")[0] if who.scheme == "digest" else who.id
