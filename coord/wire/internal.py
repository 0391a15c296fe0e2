"""What ZooKeeper's servers tell each other or write to disk; refused when a client sends it."""

import attrs

from coord.jute import Buffer, Int, Long


@attrs.frozen
class DeleteContainerRequest:
    """Remove an empty container. Source: DeleteContainerRequest."""

    path: Buffer
    """Its path as bytes."""


@attrs.frozen
class CreateSessionRequest:
    """A new session. Source: txn.CreateSessionTxn."""

    timeout_ms: Int
    """The session timeout."""


@attrs.frozen
class TxnHeader:
    """Begins every record of ZooKeeper's log: 32 bytes. Source: txn.TxnHeader."""

    client_id: Long
    """Session that asked for it."""
    cxid: Int
    """xid of the request."""
    zxid: Long
    """Its number."""
    time: Long
    """When the leader took it: milliseconds since 1970."""
    opcode: Int
    """An `OpCode`; -1 for a request that failed."""
