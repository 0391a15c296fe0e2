"""ACLs and identities: getACL, auth, SASL, whoAmI."""

from typing import Final

from coord import jute
from coord.operations.context import Caller, View, require
from coord.operations.frames import decoded, path_of
from coord.state import record as znode
from coord.state.paths import ROOT
from coord.state.permissions import OPEN_ACL, authenticate, masked_acl, permits, user_name
from coord.state.record import STAT_SIZE
from coord.wire.errors import NoNode
from coord.wire.numbers import Permission
from coord.wire.records import ClientInfo
from coord.wire.requests import AuthRequest, SaslReply, WhoAmIReply

_ADMIN: Final = int(Permission.ADMIN)
_NO_SASL: Final = jute.encode(SaslReply(None))


def get_acl(view: View, caller: Caller, needs: int, frame: bytes) -> bytes:
    """Answer with ACL and Stat; the hashes of digests are for admins."""
    path = path_of(frame)
    record = view.tree.node(path or ROOT)
    if record is None:
        raise NoNode
    acl = znode.acl_of(record)
    require(needs, acl, caller)
    if acl != OPEN_ACL and not permits(acl, caller.identities, _ADMIN):
        acl = masked_acl(acl)
    return acl + record[-STAT_SIZE:]


def auth(view: View, caller: Caller, _needs: int, frame: bytes) -> bytes:
    """Add identities to the caller. AuthFailed: the connection is closed behind the reply."""
    request = decoded(AuthRequest, frame)
    caller.identities = authenticate(request.scheme, request.auth, caller.identities, view.settings)
    return b""


def sasl(_view: View, _caller: Caller, _needs: int, _frame: bytes) -> bytes:
    """Answer as ZooKeeper does where no SASL is set up: no token, no error."""
    return _NO_SASL


def who_am_i(_view: View, caller: Caller, _needs: int, _frame: bytes) -> bytes:
    """Answer with the identities of the connection, without their secrets."""
    infos = [ClientInfo(each.scheme, user_name(each)) for each in caller.identities]
    return jute.encode(WhoAmIReply(tuple(infos)))
