"""The composition root: opens the storage, builds one replica, runs its tasks in one nursery."""

import logging
import os
import platform
import random
import resource
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import trio

from coord import jute
from coord.config import Config
from coord.consensus.configuration import Configuration
from coord.consensus.node import Node
from coord.consensus.recovered import Recovered
from coord.consensus.settings import NodeSettings
from coord.credentials import CredentialError
from coord.operations.machine import StateMachine
from coord.operations.slices import Slices
from coord.replica.clients import Clients
from coord.replica.leases import Lease
from coord.replica.links import ForeignEnsembleError, Links, OutdatedFolderError
from coord.replica.origin import Origin, OvertakenError
from coord.replica.outside import Setup
from coord.replica.replica import Replica
from coord.replica.sessions import StateDiffersError
from coord.replica.status import Status
from coord.replica.survey import survey
from coord.replica.transfers import Transfers
from coord.replica.words import answer
from coord.state.settings import FORMAT_LEVEL, Settings
from coord.state.watches import WatchTable
from coord.storage.errors import DamagedEntry, DamagedTree, DataFolderError, StorageError
from coord.storage.start import Storage
from coord.tasks.disk_space import DiskSpace
from coord.tasks.entrances import Entrances, ListenError, listen
from coord.tasks.handshakes import Complaints
from coord.tasks.hub import Hub
from coord.tasks.replica_loop import ReplicaLoop, clock_ms
from coord.tasks.trees import Trees
from coord.tasks.writer import Writer

if TYPE_CHECKING:
    from coord.tasks.admin import Admin

LOG = logging.getLogger(__name__)
HAND_OVER_S = 2.0
"""A leader that is asked to end gives its successor this long before it leaves anyway."""
HAND_OVER_POLL_S = 0.01
RELOADS_MAX = 3
"""Without an end of the process: one that needs more has a fault that no other state mends."""


class StartError(Exception):
    """The replica cannot start; one sentence that says why."""


class StopError(Exception):
    """The replica had to stop; one sentence that says why."""


class Server:
    """One replica with all its parts; the driver's `Outside`."""

    def __init__(self, config: Config, storage: Storage) -> None:
        self._watches = WatchTable()
        machine = StateMachine(storage.tree, self._watches)  # first: a damaged tree may show here
        self.config = config
        self._storage = storage
        self._started_ms = clock_ms()
        self._warnings: list[str] = []
        self._hub = Hub()
        self._writer = Writer(self._hub, "log writer")
        self._flusher = Writer(self._hub, "tree flusher")
        self._trees = Trees(storage, self._flusher)
        lease = Lease(config.tick_ms // 2)
        self.clients = Clients(
            machine,
            Origin(config.id, storage.log.start),
            lease,
            self._watches,
            (2 * config.tick_ms, 20 * config.tick_ms),
        )
        self.clients.clock = clock_ms
        self._disk_space = DiskSpace(
            config.data_dir, self._trees.file_bytes, self.clients.room, self.warn
        )
        self.node = self._node()
        self.links = self._links()
        transfers = Transfers(self.node, self.links, self._trees)
        self._trees.lowest_transfer = lambda: transfers.lowest_index
        self.replica = Replica(
            self.node,
            self.clients,
            self.links,
            transfers,
            self,
            Setup(
                tick_ms=config.tick_ms,
                heartbeat_ms=config.heartbeat_ms,
                election_ms=config.election_ms,
                applied=storage.tree.point,
                configuration=storage.configuration(),
                lacks_state=storage.lacks_tree,
            ),
        )
        self.loop = ReplicaLoop(
            self._hub, storage.log, self._writer, self._trees, max(5, config.heartbeat_ms // 4)
        )
        self.loop.replica = self.replica
        self.loop.answer_command = self._answer_command
        self.persist = self.loop.persist

    # ------------------------------------------------------------------- Outside of the replica

    def install(self) -> StateMachine:
        """Open the tree that the log names now, in place of the present one."""
        self._trees.install()
        LOG.info(
            "replica %d: received a snapshot: the state after entry %d",
            self.config.id,
            self._storage.tree.point.index,
        )
        return StateMachine(self._storage.tree, self._watches)

    def name_tree(self, name: str) -> None:
        """Let the log name a received tree in place of the one that was not to be trusted."""
        self._writer.run(lambda: None)
        self._storage.log.name_tree(name)

    def configured(self) -> None:
        """A configuration entry was applied."""
        self._compare(Configuration.decode(self.replica.configuration))

    def applied(self, index: int, size: int) -> None:
        """An entry of this many bytes was applied."""
        self._trees.applied(index, size, self.clients.machine.data_bytes)

    def wall_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def warn(self, line: str) -> None:
        """One line for the operator."""
        LOG.warning("replica %d: %s", self.config.id, line)

    # ------------------------------------------------------------------------------ its tasks

    async def run(self, signals: AsyncIterator[int]) -> None:
        """Serve until a signal comes; raises StartError, StopError."""
        try:
            entrances = self._entrances()
            admin = self._admin()
        except (CredentialError, ListenError) as error:
            raise StartError(str(error)) from None
        for line in self._storage.warnings:
            self.warn(line)
        try:
            async with trio.open_nursery() as nursery:
                entrances.begin(nursery)
                nursery.start_soon(self._end_on_signal, signals)
                self._disk_space.look()
                nursery.start_soon(self._disk_space.keep_looking)
                if admin is not None:
                    nursery.start_soon(admin.serve)
                await self.loop.run(self._say_started)
                nursery.cancel_scope.cancel()
        except* (DamagedTree, StateDiffersError) as group:
            if self.config.has_other_voters:
                # At once: a crash from now on does not bring that state back.
                self._writer.run(lambda: None)
                self._storage.distrust_tree(_sentence(group))
            raise
        finally:
            self._close()

    async def _end_on_signal(self, signals: AsyncIterator[int]) -> None:
        await anext(signals)
        LOG.info("replica %d: ending", self.config.id)
        if self._leads() and self.links.ready:
            self.node.resign()
            with trio.move_on_after(HAND_OVER_S):
                while self._leads():  # noqa: ASYNC110 - the node is no task to wait for
                    await trio.sleep(HAND_OVER_POLL_S)
            if self._leads():
                self.warn("no successor took over; leaving without a leader")
        self.loop.stopping = True
        self.loop.wake()

    def _leads(self) -> bool:
        return self.node.established and self.node.leader == self.config.id

    def _say_started(self) -> None:
        config, text = self.config, "replica %d: started, clients at %s, data in %s"
        addresses = [config.listen, config.tls_client_address]
        clients = " and ".join(str(address) for address in addresses if address is not None)
        LOG.info(text, config.id, clients, config.data_dir)

    def _close(self) -> None:
        self._hub.close_sockets(kept=(self._writer, self._flusher))
        self._trees.stop()
        self._writer.close()
        self._flusher.close()
        self._storage.close()
        self._hub.close()

    def _entrances(self) -> Entrances:
        """Listen to clients and other replicas; raises CredentialError, ListenError."""
        made = Entrances(self.config, self._hub, self.clients, self.links, self.warn)
        made.replica = self.replica
        made.open()
        return made

    def _admin(self) -> "Admin | None":
        """Who answers at the admin address; what that needs is imported only where there is one."""
        address = self.config.admin_address
        if address is None:
            return None
        try:
            from coord.replica.admin import page
            from coord.tasks.admin import Admin
        except ImportError as error:
            raise StartError(f"admin_address needs what is not installed: {error}") from None
        return Admin(listen(address), lambda path: page(path, self._status()))

    def _answer_command(self, word: str) -> bytes | Slices:
        return answer(word, self._status())

    def _status(self) -> Status:
        return survey(
            self.replica,
            self.config.shown,
            _environment(),
            self._started_ms,
            self.loop.log_syncs,
            tuple(self._warnings),
        )

    # ------------------------------------------------------------------------- what it is made of

    def _node(self) -> Node:
        stored = self._storage.configuration()
        return Node(
            NodeSettings(
                id=self.config.id,
                birth=self._storage.log.birth,
                members=self.config.members,
                quorums=self.config.quorums,
                heartbeat_ms=self.config.heartbeat_ms,
                election_ms=self.config.election_ms,
                genesis=jute.encode(_genesis(self.config)),
            ),
            Recovered(
                hard=self._storage.hard_state(),
                applied_index=self._storage.applied_index(),
                configuration=Configuration.decode(stored) if stored else None,
            ),
            self._storage.log,
            random.SystemRandom().randint,
            clock_ms(),
        )

    def _links(self) -> Links:
        return Links(
            self.config.id,
            self._storage.log.birth,
            self._ensemble,
            self._member_ids,
            self.node.standing,
            Complaints(self.warn).say,
        )

    def _ensemble(self) -> int:
        configuration = self.node.configuration
        return configuration.ensemble if configuration is not None else 0

    def _member_ids(self) -> frozenset[int]:
        configuration = self.node.configuration
        if configuration is not None:
            return frozenset(member.id for member in configuration.members)
        return frozenset(replica.id for replica in self.config.replicas)

    def _compare(self, configuration: Configuration) -> None:
        """A file that differs from the log's configuration is one warning; the log's rules."""
        differing = self.config.differences(configuration)
        self._warnings = []
        if differing:
            line = (
                f"the configuration file differs from the ensemble's in: {', '.join(differing)}; "
                "the ensemble's rules"
            )
            self._warnings.append(line)
            self.warn(line)


async def run(config: Config) -> None:
    """Run one replica until it is told to end; raises StartError, StopError."""
    # Each client takes a descriptor, and the usual soft limit is 1024.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        fault = ""
        for _ in range(RELOADS_MAX + 1):
            if not (fault := await _serve(config, signals, suspects=bool(fault))):
                return
    raise StopError(fault)


async def _serve(config: Config, signals: AsyncIterator[int], *, suspects: bool) -> str:
    """Run one replica to its end; why it must begin anew without what is damaged, or ""."""
    path, others = config.data_dir, config.has_other_voters
    try:
        storage = Storage.open(path, config.id, may_lack_tree=others, suspects_log=suspects)
    except DataFolderError as error:
        raise StartError(str(error)) from None
    except StorageError as error:
        raise StopError(str(error)) from None
    fault = ""
    try:
        await _server(config, storage).run(signals)
    except* (DamagedTree, DamagedEntry, StateDiffersError) as group:
        fault = _sentence(group)
        if not others:
            raise StopError(fault) from None
    except* (StorageError, OvertakenError, ForeignEnsembleError, OutdatedFolderError) as group:
        raise StopError(_sentence(group)) from None
    return fault


def _server(config: Config, storage: Storage) -> Server:
    """Build a replica; a tree that turns out to be damaged is not used again."""
    try:
        return Server(config, storage)
    except StorageError as fault:
        if isinstance(fault, DamagedTree) and config.has_other_voters:
            storage.distrust_tree(str(fault))
        storage.close()
        raise


def _sentence(group: BaseExceptionGroup[Exception]) -> str:
    """What the first of the exceptions says; nurseries put groups into groups."""
    first = group.exceptions[0]
    return _sentence(first) if isinstance(first, BaseExceptionGroup) else str(first)


def _genesis(config: Config) -> Settings:
    """The replicated settings that this replica would found an ensemble with."""
    return Settings(
        format_level=FORMAT_LEVEL,
        password_key=secrets.token_bytes(32),
        path_key=secrets.token_bytes(16),
        super_digest=config.super_digest or None,
        ttl_nodes=config.ttl,
    )


def _environment() -> tuple[tuple[str, str], ...]:
    return (
        ("host.name", socket.gethostname()),
        ("python.version", platform.python_version()),
        ("os.name", platform.system()),
        ("os.arch", platform.machine()),
        ("os.version", platform.release()),
        ("process.pid", str(os.getpid())),
    )
