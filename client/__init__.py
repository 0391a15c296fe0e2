"""The client library of coord, for Trio. It speaks to coord and to Apache ZooKeeper.

    async with client.connect("host:2181,host:2182/chroot") as zk:
        async with zk.lock("/locks/nightly") as held:
            await work(held.token)

The layers, each of which knows only those before it: `session` and `deadline` (until when a session
is known to live), `link` (one connection), `exchange` (requests wait for a connection and for their
replies), `keeper` (one session over many connections, with `servers`), `calls` (single requests),
`nodes` and `operations` (kazoo's names, with `decide` for lost replies), `pinned` (the same, bound
to a lock), `batch`, `watches`, `recipes`; `opening` makes a client of them, as `config` says.
"""

from client.backoff import Backoff
from client.batch import Answer, Batch
from client.cache import Cache
from client.calls import OPEN_ACL
from client.client import Client
from client.codec import JSON, BadData, Codec, strict_converter
from client.config import Auth, ClientConfig, WhenAway
from client.counts import CountingInstrument, Counts, Timing
from client.deadline import Clock, Prove
from client.errors import (
    Away,
    ClientClosed,
    ForeignUse,
    LockLost,
    OutcomeUnknown,
    SessionChanged,
    StaleToken,
    WouldDeadlock,
)
from client.events import Event, Resynced
from client.faults import ClientConfigError
from client.instruments import Call, Instrument, LogInstrument, State
from client.opening import connect
from client.pending import PendingRequest
from client.recipes.barrier import Barrier
from client.recipes.claim import Claim
from client.recipes.config import BadConfig
from client.recipes.counter import Counter
from client.recipes.description import Contending, LockDescription
from client.recipes.discovery import Discovery, NoInstance
from client.recipes.double_barrier import Round
from client.recipes.election import Leader, Term
from client.recipes.entries import Entry
from client.recipes.fence import Fence, StoredFence
from client.recipes.holds import Held, ReadHeld
from client.recipes.instances import Instance, StrategyName
from client.recipes.layouts import LayoutName
from client.recipes.lease import Lease
from client.recipes.membership import Member
from client.recipes.value import Value
from client.recipes.work import WorkQueue
from client.session import ExportedSession, Session
from client.tls import OpenStream, Tls
from client.transactions import Guard, Snapshot, Transaction
from client.tree import Tree
from client.typed import Found, Typed
from client.znodes import Stat, Znode
from coord.wire.errors import (
    ApiError,
    AuthFailed,
    BadArguments,
    BadVersion,
    ConnectionLoss,
    DataInconsistency,
    EphemeralOnLocalSession,
    InvalidAcl,
    InvalidCallback,
    MarshallingError,
    NewConfigNoQuorum,
    NoAuth,
    NoChildrenForEphemerals,
    NodeExists,
    NoNode,
    NotEmpty,
    NotReadOnly,
    NoWatcher,
    OperationTimeout,
    QuotaExceeded,
    ReconfigDisabled,
    ReconfigInProgress,
    RequestTimeout,
    RuntimeInconsistency,
    SessionClosedRequireSaslAuth,
    SessionExpired,
    SessionMoved,
    SystemFault,
    ThrottledOp,
    Unimplemented,
    UnknownSession,
    ZooKeeperError,
)
from coord.wire.numbers import EventType, Permission, WatcherType
from coord.wire.records import Acl, Id

__all__ = [
    "JSON",
    "OPEN_ACL",
    "Acl",
    "Answer",
    "ApiError",
    "Auth",
    "AuthFailed",
    "Away",
    "Backoff",
    "BadArguments",
    "BadConfig",
    "BadData",
    "BadVersion",
    "Barrier",
    "Batch",
    "Cache",
    "Call",
    "Claim",
    "Client",
    "ClientClosed",
    "ClientConfig",
    "ClientConfigError",
    "Clock",
    "Codec",
    "ConnectionLoss",
    "Contending",
    "Counter",
    "CountingInstrument",
    "Counts",
    "DataInconsistency",
    "Discovery",
    "Entry",
    "EphemeralOnLocalSession",
    "Event",
    "EventType",
    "ExportedSession",
    "Fence",
    "ForeignUse",
    "Found",
    "Guard",
    "Held",
    "Id",
    "Instance",
    "Instrument",
    "InvalidAcl",
    "InvalidCallback",
    "LayoutName",
    "Leader",
    "Lease",
    "LockDescription",
    "LockLost",
    "LogInstrument",
    "MarshallingError",
    "Member",
    "NewConfigNoQuorum",
    "NoAuth",
    "NoChildrenForEphemerals",
    "NoInstance",
    "NoNode",
    "NoWatcher",
    "NodeExists",
    "NotEmpty",
    "NotReadOnly",
    "OpenStream",
    "OperationTimeout",
    "OutcomeUnknown",
    "PendingRequest",
    "Permission",
    "Prove",
    "QuotaExceeded",
    "ReadHeld",
    "ReconfigDisabled",
    "ReconfigInProgress",
    "RequestTimeout",
    "Resynced",
    "Round",
    "RuntimeInconsistency",
    "Session",
    "SessionChanged",
    "SessionClosedRequireSaslAuth",
    "SessionExpired",
    "SessionMoved",
    "Snapshot",
    "StaleToken",
    "Stat",
    "State",
    "StoredFence",
    "StrategyName",
    "SystemFault",
    "Term",
    "ThrottledOp",
    "Timing",
    "Tls",
    "Transaction",
    "Tree",
    "Typed",
    "Unimplemented",
    "UnknownSession",
    "Value",
    "WatcherType",
    "WhenAway",
    "WorkQueue",
    "WouldDeadlock",
    "Znode",
    "ZooKeeperError",
    "connect",
    "strict_converter",
]
