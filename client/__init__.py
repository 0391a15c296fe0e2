"""The client library of coord, for Trio. It speaks to coord and to Apache ZooKeeper.

    async with client.connect("host:2181,host:2182/chroot") as zk:
        async with zk.lock("/locks/nightly") as held:
            await work(held.token)

The layers, each of which knows only those before it: `session` and `deadline` (until when a session
is known to live), `link` (one connection), `exchange` (requests wait for a connection and for their
replies), `keeper` (one session over many connections, with `servers`), `calls` (single requests),
`nodes` and `operations` (kazoo's names, with `decide` for lost replies), `batch`, `watches`,
`recipes`; `opening` makes a client of them, as `config` says.
"""

from client.batch import Answer, Batch
from client.calls import OPEN_ACL
from client.client import Client
from client.config import Auth, ClientConfig, WhenAway
from client.deadline import Clock, Prove
from client.errors import (
    Away,
    ClientClosed,
    ForeignUse,
    LockLost,
    OutcomeUnknown,
    SessionChanged,
)
from client.faults import ClientConfigError
from client.instruments import Call, Instrument, LogInstrument, State
from client.opening import connect
from client.recipes.config import BadConfig
from client.recipes.counter import Counter
from client.recipes.election import Leader
from client.recipes.holds import Held, Term
from client.recipes.queue import LayoutName
from client.recipes.value import Value
from client.session import Session
from client.tls import OpenStream, Tls
from client.transactions import Guard, Snapshot, Transaction
from client.watches import Event, Resynced
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
    "OPEN_ACL",
    "Acl",
    "Answer",
    "ApiError",
    "Auth",
    "AuthFailed",
    "Away",
    "BadArguments",
    "BadConfig",
    "BadVersion",
    "Batch",
    "Call",
    "Client",
    "ClientClosed",
    "ClientConfig",
    "ClientConfigError",
    "Clock",
    "ConnectionLoss",
    "Counter",
    "DataInconsistency",
    "EphemeralOnLocalSession",
    "Event",
    "EventType",
    "ForeignUse",
    "Guard",
    "Held",
    "Id",
    "Instrument",
    "InvalidAcl",
    "InvalidCallback",
    "LayoutName",
    "Leader",
    "LockLost",
    "LogInstrument",
    "MarshallingError",
    "NewConfigNoQuorum",
    "NoAuth",
    "NoChildrenForEphemerals",
    "NoNode",
    "NoWatcher",
    "NodeExists",
    "NotEmpty",
    "NotReadOnly",
    "OpenStream",
    "OperationTimeout",
    "OutcomeUnknown",
    "Permission",
    "Prove",
    "QuotaExceeded",
    "ReconfigDisabled",
    "ReconfigInProgress",
    "RequestTimeout",
    "Resynced",
    "RuntimeInconsistency",
    "Session",
    "SessionChanged",
    "SessionClosedRequireSaslAuth",
    "SessionExpired",
    "SessionMoved",
    "Snapshot",
    "Stat",
    "State",
    "SystemFault",
    "Term",
    "ThrottledOp",
    "Tls",
    "Transaction",
    "Unimplemented",
    "UnknownSession",
    "Value",
    "WatcherType",
    "WhenAway",
    "Znode",
    "ZooKeeperError",
    "connect",
]
