"""The client library of coord, for Trio. It speaks to coord and to Apache ZooKeeper.

    async with client.connect("host:2181,host:2182/chroot") as zk:
        async with zk.lock("/locks/nightly") as held:
            await work(held.token)

The layers, each of which knows only those before it: `session` and `deadline` (until when a session
is known to live), `link` (one connection), `keeper` (one session over many connections), `calls`
(single requests), `operations` (kazoo's names, with `decide` for lost replies), `watches`, `recipes`.
"""

from client.client import Client, connect
from client.deadline import Clock, Prove
from client.errors import ClientClosed, LockLost, OutcomeUnknown
from client.keeper import OpenStream
from client.recipes.config import BadConfig
from client.recipes.election import Leader
from client.recipes.holds import Held, Term
from client.session import Session
from client.transactions import Transaction
from client.watches import Event, Resynced
from client.znodes import Stat, Znode
from coord.wire.errors import *  # noqa: F403
