"""The client library of coord, for Trio. It speaks to coord and to Apache ZooKeeper.

    async with client.connect("host:2181,host:2182/chroot") as zk:
        async with zk.lock("/locks/nightly") as held:
            await work(held.token)

The layers, each of which knows only those before it: `session` and `deadline` (until when a session
is known to live), `link` (one connection), `keeper` (one session over many connections), `calls`
(single requests), `operations` (kazoo's names, with `decide` for lost replies), `watches`,
`recipes`.
"""

from client.calls import OPEN_ACL
from client.client import Client, connect
from client.config import Auth, ClientConfig, WhenAway
from client.deadline import Clock, Prove
from client.errors import ClientClosed, LockLost, OutcomeUnknown
from client.faults import ClientConfigError
from client.instruments import Call, Instrument, LogInstrument, State
from client.recipes.config import BadConfig
from client.recipes.counter import Counter
from client.recipes.election import Leader
from client.recipes.holds import Held, Term
from client.recipes.queue import LayoutName
from client.recipes.value import Value
from client.session import Session
from client.tls import OpenStream, Tls
from client.transactions import Guard, Transaction
from client.watches import Event, Resynced
from client.znodes import Stat, Znode
from coord.wire.errors import (
    AuthFailed,
    BadArguments,
    BadVersion,
    ConnectionLoss,
    EphemeralOnLocalSession,
    InvalidAcl,
    MarshallingError,
    NoAuth,
    NoChildrenForEphemerals,
    NodeExists,
    NoNode,
    NotEmpty,
    NotReadOnly,
    NoWatcher,
    QuotaExceeded,
    ReconfigDisabled,
    SessionExpired,
    SessionMoved,
    ThrottledOp,
    Unimplemented,
    ZooKeeperError,
)
from coord.wire.numbers import EventType, Permission, WatcherType
from coord.wire.records import Acl, Id

__all__ = [
    "OPEN_ACL",
    "Acl",
    "Auth",
    "AuthFailed",
    "BadArguments",
    "BadConfig",
    "BadVersion",
    "Call",
    "Client",
    "ClientClosed",
    "ClientConfig",
    "ClientConfigError",
    "Clock",
    "ConnectionLoss",
    "Counter",
    "EphemeralOnLocalSession",
    "Event",
    "EventType",
    "Guard",
    "Held",
    "Id",
    "Instrument",
    "InvalidAcl",
    "LayoutName",
    "Leader",
    "LockLost",
    "LogInstrument",
    "MarshallingError",
    "NoAuth",
    "NoChildrenForEphemerals",
    "NoNode",
    "NoWatcher",
    "NodeExists",
    "NotEmpty",
    "NotReadOnly",
    "OpenStream",
    "OutcomeUnknown",
    "Permission",
    "Prove",
    "QuotaExceeded",
    "ReconfigDisabled",
    "Resynced",
    "Session",
    "SessionExpired",
    "SessionMoved",
    "Stat",
    "State",
    "Term",
    "ThrottledOp",
    "Tls",
    "Transaction",
    "Unimplemented",
    "Value",
    "WatcherType",
    "WhenAway",
    "Znode",
    "ZooKeeperError",
    "connect",
]
