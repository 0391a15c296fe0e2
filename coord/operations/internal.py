"""The writes that no client sends: a replica proposes them in its own name."""

from enum import IntEnum

import attrs

from coord.jute import Bytes, Int, Long


class Internal(IntEnum):
    """Their op codes, beyond ZooKeeper's; refused when a client sends one."""

    ATTACH = -100
    EXPIRE = -101
    REAP = -102


@attrs.frozen
class AttachRequest:
    """Begin a session, or take one over: the client's greeting, checked and negotiated."""

    session_id: Long
    """The session to resume; 0 for a new one."""
    password: Bytes
    """What the client showed for it; of no effect for a new one."""
    timeout_ms: Int
    """The session timeout, as negotiated."""


@attrs.frozen
class Attached:
    """Answers ATTACH: what the ConnectResponse says, and what the session's writes must name."""

    session_id: Long
    """The session."""
    attachment: Int
    """How often it was attached, this time included."""
    timeout_ms: Int
    """The session timeout."""
    password: Bytes
    """What resumes the session: 16 bytes."""


@attrs.frozen
class ExpireRequest:
    """End a session that was silent; of no effect when it was attached again meanwhile."""

    session_id: Long
    """The session."""
    attachment: Int
    """The attachment that was silent."""


@attrs.frozen
class ReapRequest:
    """Delete a container or TTL node that outlived its use; of no effect when it changed."""

    path: Bytes
    """Its path."""
    mzxid: Long
    """The last change of its data that was seen."""
    pzxid: Long
    """The last change of its children that was seen."""
