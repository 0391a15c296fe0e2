"""The records that requests and replies are made of, the headers, and the two greetings.

Source: zookeeper.jute; what each number may be is in `coord.wire.numbers`.
"""

import attrs

from coord.jute import Bool, Buffer, Int, Long, Text, TrailingBool


@attrs.frozen
class Stat:
    """What is known of a znode besides its data: 68 bytes. Source: data.Stat."""

    czxid: Long
    """zxid of its creation."""
    mzxid: Long
    """zxid of the last change of its data."""
    ctime: Long
    """Time of its creation: milliseconds since 1970."""
    mtime: Long
    """Time of the last change of its data: milliseconds since 1970."""
    version: Int
    """Number of changes of its data."""
    cversion: Int
    """Number of children created and deleted."""
    aversion: Int
    """Number of changes of its ACL."""
    ephemeral_owner: Long
    """Session that owns an ephemeral znode; 0 for all others."""
    data_length: Int
    """Length of its data in bytes; 0 for null as well."""
    num_children: Int
    """Number of its children."""
    pzxid: Long
    """zxid of the last creation or deletion of a child."""


@attrs.frozen
class Id:
    """Somebody, under a scheme of authentication. Source: data.Id."""

    scheme: Text
    """Such as "world", "auth", "digest", "ip"; null when the peer sent none."""
    id: Text
    """Who, in the terms of the scheme; kazoo writes an empty one as null."""


@attrs.frozen
class Acl:
    """What somebody may do with a znode. Source: data.ACL."""

    perms: Int
    """A sum of `Permission`."""
    id: Id
    """Who may."""


@attrs.frozen
class ClientInfo:
    """One identity of a client. Source: data.ClientInfo."""

    auth_scheme: Text
    """The scheme of authentication."""
    user: Text
    """Who, in the terms of the scheme, without secrets."""


@attrs.frozen
class RequestHeader:
    """Begins every request but the first: 8 bytes. Source: proto.RequestHeader."""

    xid: Int
    """Label the reply will bear: from 1 up, or one of `Xid`."""
    opcode: Int
    """An `OpCode`, if it is known."""


@attrs.frozen
class ReplyHeader:
    """Begins every reply but the first, and notifications: 16 bytes. Source: proto.ReplyHeader."""

    xid: Int
    """The request's; `Xid.NOTIFICATION` for a notification."""
    zxid: Long
    """Last zxid applied; a notification's is its trigger's, or -1; 0 after auth."""
    error: Int
    """0, or the code of a `ZooKeeperError`; then no body follows."""


@attrs.frozen
class ConnectRequest:
    """The client's greeting: 44 or 45 bytes. Source: proto.ConnectRequest."""

    protocol_version: Int
    """0."""
    last_zxid_seen: Long
    """A server that has applied less must not serve this client."""
    timeout_ms: Int
    """The session timeout asked for; the server may move it."""
    session_id: Long
    """The session to resume; 0 for a new one."""
    password: Buffer
    """That of the session to resume: 16 bytes; zeros, empty or null for a new one."""
    read_only: TrailingBool = None
    """Whether a replica without a quorum will do; None when the client left the byte out."""

    @property
    def has_read_only(self) -> bool:
        """Whether the client sent the last byte and so expects one back."""
        return self.read_only is not None


@attrs.frozen
class ConnectResponse:
    """The server's greeting: 36 or 37 bytes. Source: proto.ConnectResponse."""

    protocol_version: Int
    """0."""
    timeout_ms: Int
    """The session timeout; 0 or less: there is no such session."""
    session_id: Long
    """The session; 0 when there is none."""
    password: Buffer
    """What resumes the session: 16 bytes; zeros when there is none."""
    read_only: TrailingBool = None
    """Whether this replica only reads; None when the byte is left out."""


@attrs.frozen
class WatcherEvent:
    """The body of a notification. Source: proto.WatcherEvent."""

    event_type: Int
    """An `EventType`."""
    state: Int
    """A `KeeperState`."""
    path: Text
    """The znode it is about."""


@attrs.frozen
class MultiHeader:
    """Stands before each part of a multi and of its reply: 9 bytes. Source: proto.MultiHeader."""

    opcode: Int
    """An `OpCode`; -1 for an error and at the end."""
    done: Bool
    """True at the end, where no body follows."""
    error: Int
    """-1 in a request and at the end; else 0 or the code of an error."""
