"""One class per request and per reply: the fields of the body, which follows the header.

`coord.wire.opcodes` says which belongs to which op code; requests without a body are instances of
classes without fields, replies without a body have no class. Source: zookeeper.jute, module proto.
"""

import attrs

from coord.jute import Bool, Buffer, Int, Items, Long, Name, Text, Vector
from coord.wire.records import Acl, ClientInfo, Stat

# Creating and deleting.


@attrs.frozen
class CreateRequest:
    """Make a znode; also the body of create2 and createContainer. Source: CreateRequest."""

    path: Name
    """Its path, or where its number is appended."""
    data: Buffer
    """Its data."""
    acl: Vector[Acl]
    """Who may do what with it; neither null nor empty."""
    flags: Int
    """A `CreateFlag`."""


@attrs.frozen
class CreateReply:
    """Answers create. Source: CreateResponse."""

    path: Name
    """The path it got, number included."""


@attrs.frozen
class Create2Reply:
    """Answers create2, createContainer and createTTL. Source: Create2Response."""

    path: Name
    """The path it got, number included."""
    stat: Stat
    """Its Stat."""


@attrs.frozen
class CreateTtlRequest(CreateRequest):
    """Make a znode that goes when it is idle and empty. Source: CreateTTLRequest."""

    ttl_ms: Long
    """How long it may be idle: from 1 to 2**40 - 1."""


@attrs.frozen
class DeleteRequest:
    """Remove a znode. Source: DeleteRequest."""

    path: Name
    """Its path."""
    version: Int
    """The version it must have; -1 for any."""


# Data.


@attrs.frozen
class ExistsRequest:
    """Ask for a Stat. Source: ExistsRequest."""

    path: Name
    """The znode, which may be missing."""
    watch: Bool
    """Whether to be told of its next change, creation included."""


@attrs.frozen
class ExistsReply:
    """Answers exists. Source: ExistsResponse."""

    stat: Stat
    """The znode's Stat."""


@attrs.frozen
class GetDataRequest:
    """Ask for data and Stat. Source: GetDataRequest."""

    path: Name
    """The znode."""
    watch: Bool
    """Whether to be told of its next change."""


@attrs.frozen
class GetDataReply:
    """Answers getData, and reconfig with the new configuration. Source: GetDataResponse."""

    data: Buffer
    """The znode's data."""
    stat: Stat
    """The znode's Stat."""


@attrs.frozen
class SetDataRequest:
    """Replace data. Source: SetDataRequest."""

    path: Name
    """The znode."""
    data: Buffer
    """The new data."""
    version: Int
    """The version it must have; -1 for any."""


@attrs.frozen
class SetDataReply:
    """Answers setData. Source: SetDataResponse."""

    stat: Stat
    """The znode's Stat after the change."""


@attrs.frozen
class CheckRequest:
    """In a multi only: demand a version. Source: CheckVersionRequest."""

    path: Name
    """The znode."""
    version: Int
    """The version it must have; -1 for any."""


@attrs.frozen
class SyncRequest:
    """Wait until this replica has all that was committed before. Source: SyncRequest."""

    path: Text
    """Of no effect; sent back as it came."""


@attrs.frozen
class SyncReply:
    """Answers sync. Source: SyncResponse."""

    path: Text
    """The path of the request."""


# Children.


@attrs.frozen
class GetChildrenRequest:
    """Ask for the names of children. Source: GetChildrenRequest."""

    path: Name
    """The znode."""
    watch: Bool
    """Whether to be told when a child comes or goes."""


@attrs.frozen
class GetChildrenReply:
    """Answers getChildren. Source: GetChildrenResponse."""

    children: Items[Name]
    """Their names, in any order."""


@attrs.frozen
class GetChildren2Request:
    """Ask for the names of children and the Stat of the parent. Source: GetChildren2Request."""

    path: Name
    """The parent."""
    watch: Bool
    """Whether to be told when a child comes or goes."""


@attrs.frozen
class GetChildren2Reply:
    """Answers getChildren2. Source: GetChildren2Response."""

    children: Items[Name]
    """Their names, in any order."""
    stat: Stat
    """The parent's Stat."""


@attrs.frozen
class GetAllChildrenNumberRequest:
    """Ask how many descendants there are. Source: GetAllChildrenNumberRequest."""

    path: Name
    """The znode they descend from."""


@attrs.frozen
class GetAllChildrenNumberReply:
    """Answers getAllChildrenNumber. Source: GetAllChildrenNumberResponse."""

    total: Int
    """Number of descendants."""


@attrs.frozen
class GetEphemeralsRequest:
    """Ask for the ephemeral znodes of this session. Source: GetEphemeralsRequest."""

    prefix: Text
    """What their paths begin with; null, blank or "/" for all."""


@attrs.frozen
class GetEphemeralsReply:
    """Answers getEphemerals. Source: GetEphemeralsResponse."""

    paths: Items[Name]
    """Their paths, in any order."""


# Permissions and identities.


@attrs.frozen
class GetAclRequest:
    """Ask for an ACL. Source: GetACLRequest."""

    path: Name
    """The znode."""


@attrs.frozen
class GetAclReply:
    """Answers getACL. Source: GetACLResponse."""

    acl: Vector[Acl]
    """The ACL; digests are masked from all but admins."""
    stat: Stat
    """The znode's Stat."""


@attrs.frozen
class SetAclRequest:
    """Replace an ACL. Source: SetACLRequest."""

    path: Name
    """The znode."""
    acl: Vector[Acl]
    """The new ACL; neither null nor empty."""
    version: Int
    """The ACL version it must have; -1 for any."""


@attrs.frozen
class SetAclReply:
    """Answers setACL. Source: SetACLResponse."""

    stat: Stat
    """The znode's Stat after the change."""


@attrs.frozen
class AuthRequest:
    """Add an identity to the connection; its xid is `Xid.AUTH`. Source: AuthPacket."""

    auth_type: Int
    """0; of no effect."""
    scheme: Text
    """The scheme of authentication."""
    auth: Buffer
    """The credential, in the terms of the scheme."""


@attrs.frozen
class SaslRequest:
    """One step of SASL. Source: GetSASLRequest."""

    token: Buffer
    """What the mechanism says."""


@attrs.frozen
class SaslReply:
    """Answers one step of SASL. Source: SetSASLResponse."""

    token: Buffer
    """What the mechanism says; null where there is no SASL."""


@attrs.frozen
class WhoAmIRequest:
    """Ask for the identities of the connection: no body."""


@attrs.frozen
class WhoAmIReply:
    """Answers whoAmI. Source: WhoAmIResponse."""

    clients: Items[ClientInfo]
    """The identities, that of the address included."""


# Watches.


@attrs.frozen
class AddWatchRequest:
    """Set a watch that stays. Source: AddWatchRequest."""

    path: Name
    """The znode, which may be missing."""
    mode: Int
    """An `AddWatchMode`."""


@attrs.frozen
class CheckWatchesRequest:
    """Ask whether this connection watches. Source: CheckWatchesRequest."""

    path: Name
    """The znode."""
    watcher_type: Int
    """A `WatcherType`."""


@attrs.frozen
class RemoveWatchesRequest:
    """Remove watches of this connection. Source: RemoveWatchesRequest."""

    path: Name
    """The znode."""
    watcher_type: Int
    """A `WatcherType`."""


@attrs.frozen
class SetWatchesRequest:
    """Set watches again after a reconnect; its xid is `Xid.SET_WATCHES`. Source: SetWatches."""

    relative_zxid: Long
    """The last zxid the client saw: what changed since is told at once."""
    data_watches: Vector[Name]
    """Paths whose data was watched."""
    exist_watches: Vector[Name]
    """Paths whose creation was watched."""
    child_watches: Vector[Name]
    """Paths whose children were watched."""


@attrs.frozen
class SetWatches2Request(SetWatchesRequest):
    """Set again watches that stay, too. Source: SetWatches2."""

    persistent_watches: Vector[Name]
    """Paths with a persistent watch; never caught up."""
    recursive_watches: Vector[Name]
    """Paths with a persistent recursive watch; never caught up."""


# Sessions and the ensemble.


@attrs.frozen
class PingRequest:
    """Show that the client lives: no body; its xid is `Xid.PING`."""


@attrs.frozen
class CloseSessionRequest:
    """End the session: no body. The server closes the connection after its reply."""


@attrs.frozen
class ReconfigRequest:
    """Change the members of the ensemble; answered with `GetDataReply`. Source: ReconfigRequest."""

    joining: Text
    """Servers to add: "server.N=…" with commas between; or null."""
    leaving: Text
    """Ids to remove, with commas between; or null."""
    new_members: Text
    """All servers there shall be; or null."""
    config_id: Long
    """The version of the configuration it is meant for; -1 for any."""


@attrs.frozen
class ErrorReply:
    """Answers addWatch, and is the part of a multi's reply that failed. Source: ErrorResponse."""

    code: Int
    """addWatch: 0. In a multi: 0 before the operation that failed, its code, -2 after it."""
