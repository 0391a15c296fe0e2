"""The state machine: what an entry does, and what a read answers. The only doors to the state.

Rules

1. `apply` reads the entry and the replicated state and nothing else, so all replicas that applied
   the same entries hold the same bytes (`digest`).
2. `apply` is total for whatever `check` lets through: what is wrong with a write is its result. Any
   other exception means that this replica can no longer be trusted, and must end it.
3. A write is accepted when it is the next of its origin (replica, start, n): n follows the last
   one, or a newer start begins with 1. All else is skipped: no zxid, no reply. So an origin may
   send again what may be lost, and nothing is done twice, or after a gap.
4. Each accepted write takes the next zxid, also when it fails.
5. A write counts only under its session's current attachment.
"""

from collections.abc import Generator, Iterator
from struct import Struct
from typing import Final

from coord import jute
from coord.consensus.configuration import Configuration
from coord.operations import batch
from coord.operations.context import Audience, Caller, Context, View
from coord.operations.ensemble import configuration_text
from coord.operations.frames import BODY_AT
from coord.operations.slices import SLICE_NAMES, Slices
from coord.operations.table import ANSWERS, APPLIES, NEED_NO_SESSION, SPANS
from coord.state import genesis, reaping
from coord.state.permissions import READ_ACL
from coord.state.sessions import Session, Sessions, path_in
from coord.state.settings import Settings
from coord.state.store import Store, Table
from coord.state.tree import Tree
from coord.state.watches import WatchTable
from coord.wire.errors import SessionExpired, SessionMoved, Unimplemented, ZooKeeperError
from coord.wire.numbers import EventType, OpCode

_ORIGIN: Final = Struct(">IQ")
"""start, n"""
_BIRTHS: Final = frozenset({int(OpCode.CREATE), int(OpCode.CREATE2)})
"""What need not see the record of a parent as the births before it left it."""


class StateMachine:
    """The replicated state of one replica, and the watches of its own clients.

    A store that comes from a snapshot gets a new machine; the old one goes with its watches.
    """

    def __init__(self, store: Store, watches: WatchTable | None = None) -> None:
        self.store = store
        self.watches = WatchTable() if watches is None else watches
        self._tree = tree = Tree(store)
        self._sessions = Sessions(tree)
        self._origins: dict[int, tuple[int, int]] = {
            key[0]: _ORIGIN.unpack(value[4:]) for key, value in store.rows(Table.ORIGINS)
        }
        settings = genesis.settings_of(tree)
        self._view = View(store, tree, self._sessions, self.watches, settings)
        self._context = Context(tree, self._sessions, settings)

    # Entries of the log.

    def configure(self, payload: bytes, time_ms: int, audience: Audience | None = None) -> None:
        """Apply a configuration entry; the first one founds the tree.

        A later one takes a zxid: the znode that shows the configuration changes.
        """
        tree = self._tree
        configuration = Configuration.decode(payload)
        settings = jute.decode_all(Settings, configuration.settings)
        tree.time_ms = max(tree.time_ms, time_ms)
        if not tree.node_count:
            genesis.found(tree, settings)
        else:
            tree.zxid += 1
            genesis.put_settings(tree, settings)
        self._view.settings = self._context.settings = genesis.settings_of(tree)
        text = configuration_text(configuration, tree.zxid)
        genesis.put_configuration(tree, text)
        tree.save()
        if audience is not None:
            changed = EventType.NODE_DATA_CHANGED
            audience.changed(changed, genesis.CONFIG_PATH, tree.zxid, READ_ACL)

    def apply(self, payload: bytes, audience: Audience) -> None:
        """Apply an operations entry, telling the audience what each operation did."""
        tree, context = self._tree, self._context
        tree.time_ms = max(tree.time_ms, batch.time_of(payload))
        context.audience = audience
        for bundle in batch.bundles_of(payload):
            first = self._first_accepted(bundle)
            if first is not None:
                self._apply_bundle(payload, bundle, first)
        tree.save()

    def _first_accepted(self, bundle: batch.Bundle) -> int | None:
        """Return the first write of a bundle that is not to be skipped, if there is one."""
        start, last = self._origins.get(bundle.replica, (0, 0))
        if bundle.start < start:
            return None
        due = last + 1 if bundle.start == start else 1
        return due if bundle.first <= due < bundle.first + bundle.size else None

    def _apply_bundle(self, payload: bytes, bundle: batch.Bundle, first: int) -> None:
        tree, context = self._tree, self._context
        attachments, audience = self._sessions.attachments, context.audience
        replica, start, n = bundle.replica, bundle.start, bundle.first
        end = bundle.at
        while end < bundle.end:
            session, attachment, identities, opcode, at, end = batch.operation_at(payload, end)
            if n < first:
                n += 1
                continue
            tree.zxid += 1
            context.session_id = session
            context.identities = identities
            if tree.births and opcode not in _BIRTHS:
                tree.settle()
            try:
                if attachments.get(session) != attachment and opcode not in NEED_NO_SESSION:
                    raise SessionMoved if session in attachments else SessionExpired
                apply, needs = APPLIES[opcode]
                body, error = apply(context, needs, payload, at), 0
            except ZooKeeperError as failure:
                body, error = b"", failure.code
            audience.settled(replica, start, n, tree.zxid, error, body)
            n += 1
        self._origins[replica] = start, n - 1
        tree.put_row(Table.ORIGINS, bytes([replica]), _ORIGIN.pack(start, n - 1))

    # Requests of clients.

    def check(self, opcode: int, frame: bytes) -> None:
        """Raise what makes a write impossible to propose: what passes can be applied."""
        span = SPANS.get(opcode)
        if span is None:
            raise Unimplemented
        span(frame, BODY_AT)

    def answer(self, caller: Caller, opcode: int, frame: bytes) -> bytes | Slices:
        """Return the body of the reply to a read, or what builds it; or raise its error."""
        try:
            answer, needs = ANSWERS[opcode]
        except KeyError:
            raise Unimplemented from None
        self._tree.settle()  # an operation of the entry that is being applied may let this pass
        return answer(self._view, caller, needs, frame)

    # What the replica asks.

    @property
    def settings(self) -> Settings:
        """The replicated settings."""
        return self._view.settings

    @property
    def is_founded(self) -> bool:
        """Whether a configuration was applied; before, there is no znode."""
        return self._tree.node_count > 0

    @property
    def zxid(self) -> int:
        """Number of the last operation applied."""
        return self._tree.zxid

    @property
    def time_ms(self) -> int:
        """Time of the last entry applied."""
        return self._tree.time_ms

    @property
    def digest(self) -> int:
        """What two replicas that applied the same entries must agree on."""
        return self._tree.digest

    @property
    def node_count(self) -> int:
        """Number of znodes; ZooKeeper reports one more, since it counts the root twice."""
        return self._tree.node_count

    @property
    def ephemeral_count(self) -> int:
        """Number of ephemeral znodes."""
        return self._tree.ephemeral_count

    @property
    def data_bytes(self) -> int:
        """Bytes of all paths and data: ZooKeeper's approximate_data_size."""
        return self._tree.data_bytes

    @property
    def session_count(self) -> int:
        """Number of sessions that live."""
        return len(self._sessions)

    def sessions(self) -> Iterator[int]:
        """Go through the ids of all sessions that live."""
        return iter(self._sessions)

    def session(self, session_id: int) -> Session | None:
        """Return a session's attachment and timeout, or None when it is over or never was."""
        return self._sessions.get(session_id)

    def ephemerals(self) -> Generator[tuple[int, list[bytes]], None, None]:
        """Go through all sessions and the paths of their ephemeral nodes, for administrators.

        A session with many comes several times, one with none once. Operations may be applied
        meanwhile. Close the iterator when it is not used up.
        """
        for session_id in sorted(self._sessions):
            listing = self._sessions.ephemeral_listing(session_id)
            try:
                rows = listing.take(SLICE_NAMES)
                yield session_id, [path_in(row) for row in rows]
                while rows := listing.take(SLICE_NAMES):
                    yield session_id, [path_in(row) for row in rows]
            finally:
                listing.close()

    def origin(self, replica: int) -> tuple[int, int]:
        """Return (start, n) of the last write applied of a replica; (0, 0) when there is none."""
        return self._origins.get(replica, (0, 0))

    def reapable(self, now_ms: int, limit: int) -> list[tuple[bytes, int, int]]:
        """Return (path, mzxid, pzxid) of at most `limit` nodes whose time has come, for REAP."""
        return reaping.reapable(self._view.store, now_ms, limit)
