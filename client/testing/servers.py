"""An ensemble in memory, and the verbs by which a test tells it what to do."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import trio

from client import Client, ClientConfig, connect
from client.testing.chance import decided_by
from client.testing.dialer import Dialer
from client.testing.disk import Disk
from client.testing.links import Cabling
from client.testing.loop import Loop
from client.testing.mishaps import Kind, Mishap, Mishaps
from client.testing.network import Network, Party
from client.testing.process import Founding, Process
from coord import jute
from coord.consensus.configuration import Member, MemberRole
from coord.quorums import parse
from coord.state.settings import FORMAT_LEVEL, Settings
from coord.wire.numbers import OpCode

REPLICAS_MAX = 255


class Ensemble:
    """Real replicas of coord in memory; `ensemble` makes one.

        async with client.testing.ensemble(replicas=3) as servers:
            async with servers.connect() as zk:
                await servers.expire(zk)

    A verb takes replicas by their ids, which count from 1, and clients as `connect` gave them.
    """

    def __init__(self, replicas: int, chance: random.Random, latency: float, quorums: str) -> None:
        ids = range(1, replicas + 1)
        members = tuple(
            Member(number, 0, MemberRole.VOTER, f"replica:{1000 + number}", f"replica:{number}")
            for number in ids
        )
        settings = Settings(
            FORMAT_LEVEL, chance.randbytes(32), chance.randbytes(16), None, ttl_nodes=True
        )
        self.requests: Counter[int] = Counter()
        """How often clients have asked for what, by OpCode; CREATE_SESSION counts greetings."""
        self.founding = Founding(members, quorums, jute.encode(settings), chance.randint)
        self._loop = Loop()
        self.network = Network(self._loop, chance, latency)
        self._disks = {number: Disk(chance.randrange(1, 1 << 62)) for number in ids}
        self._processes: dict[int, Process] = {}
        """Those that run."""
        self._cabling = Cabling(self.network, self._processes)
        self._mishaps = Mishaps()
        self._dialers: dict[Client, Dialer] = {}
        self._dialers_made = 0

    # --------------------------------------------------------------------------------- clients

    @property
    def hosts(self) -> str:
        """All replicas, as a connection string; for `connect` with `open_stream` of this object."""
        return ",".join(f"replica:{number}" for number in self._disks)

    @asynccontextmanager
    async def connect(
        self,
        *replicas: int,
        chroot: str = "",
        config: ClientConfig | None = None,
        **options: Any,
    ) -> AsyncIterator[Client]:
        """Keep a session of a client with these replicas, or with all, while a block runs.

            async with servers.connect(session_timeout=30) as zk: ...

        chroot: what stands before every path of the client.
        config: settings of a program, which go to these replicas instead of its own hosts.
        options: of `client.connect`. Raises what that raises.
        """
        hosts: str | ClientConfig
        hosts = (",".join(f"replica:{number}" for number in replicas) or self.hosts) + chroot
        if config is not None:
            hosts = attrs.evolve(config, hosts=hosts + ("" if chroot else config.hosts.chroot))
        dialer = self._new_dialer()
        settings = {"open_stream": dialer.open_stream, "clock": trio.current_time, **options}
        async with connect(hosts, **settings) as zk:
            self._dialers[zk] = dialer
            try:
                yield zk
            finally:
                del self._dialers[zk]

    async def open_stream(self, host: str, port: int) -> trio.abc.Stream:
        """Take the place of `trio.open_tcp_stream`, for clients that are made elsewhere.

            client.connect(servers.hosts, open_stream=servers.open_stream, clock=trio.current_time)

        Such clients cannot be named in verbs. Raises OSError when the replica does not run.
        """
        return await self._new_dialer().open_stream(host, port)

    def _new_dialer(self) -> Dialer:
        self._dialers_made += 1
        return Dialer(self, self._dialers_made)

    async def running(self, dialer: Dialer, replica: int) -> Process | None:
        """Wait until a client reaches a replica; return its process, None when it does not run."""
        await self._loop.until(lambda: self.network.reaches(dialer, replica))
        return self._processes.get(replica)

    def meet(self, dialer: Dialer, opcode: int) -> Mishap | None:
        """A request has arrived at a replica; return what happens to it."""
        self.requests[opcode] += 1
        return self._mishaps.take(dialer, opcode)

    # ---------------------------------------------------------------------------------- replicas

    @property
    def replicas(self) -> tuple[int, ...]:
        """The ids of all replicas."""
        return tuple(self._disks)

    @property
    def leader(self) -> int | None:
        """The replica that leads; None while there is none, or none that runs."""
        leading = [
            (process.node.epoch, number)
            for number, process in self._processes.items()
            if process.leads and not process.is_paused
        ]
        return max(leading)[1] if leading else None

    async def elected(self) -> int:
        """Wait until there is a leader that can commit; return its id."""
        await self._loop.until(lambda: self._commanding is not None)
        commanding = self._commanding
        assert commanding is not None
        return commanding.id

    @property
    def _commanding(self) -> Process | None:
        """The leader, while a quorum has lately answered it."""
        leader = self.leader
        process = None if leader is None else self._processes[leader]
        return process if process is not None and process.serves else None

    def pause(self, replica: int) -> None:
        """Stop a replica as SIGSTOP does: its connections stay, and what comes waits.

        servers.pause(1)
        servers.resume(1)
        """
        self._running(replica).pause()
        self.network.trace("pause", replica)

    def resume(self, replica: int) -> None:
        """Let a paused replica go on."""
        self.network.trace("resume", replica)
        self._running(replica).resume()

    def stop(self, replica: int) -> None:
        """End a replica as SIGKILL does: its connections break, and nobody can dial it."""
        self._running(replica).end()
        del self._processes[replica]
        self._cabling.process_ended(replica)
        self.network.trace("stop", replica)

    def start(self, replica: int) -> None:
        """Start a replica that was stopped, with what is on its disk.

        servers.stop(leader := servers.leader)
        print("leads now:", await servers.elected(), "of", servers.replicas)
        servers.start(leader)
        await servers.restart(leader)
        """
        if replica in self._processes:
            raise ValueError(f"replica {replica} runs already")
        self.network.trace("start", replica)
        self._processes[replica] = Process(self, replica, self._disks[replica])
        self._cabling.dial()

    async def restart(self, replica: int) -> None:
        """Stop and start a replica; wait until it serves. Nothing that was acknowledged is lost."""
        self.stop(replica)
        self.start(replica)
        await self._loop.until(lambda: self._running(replica).serves)

    def _running(self, replica: int) -> Process:
        process = self._processes.get(replica)
        if process is None:
            what = "does not run" if replica in self._disks else "is none of this ensemble"
            raise ValueError(f"replica {replica} {what}")
        return process

    def link_closed(self) -> None:
        """A link was closed by a replica; it may be made anew."""
        self._cabling.dial_later()

    # ---------------------------------------------------------------------------------- sessions

    async def expire(self, session: Client | int) -> None:
        """Let the session of a client, or of this id, expire now; return once it is over.

            await servers.expire(zk)
            await zk.sync()  # in a new session

        The client learns of it as it does from a real server: its connection breaks, and when it
        comes back its session is refused.
        """
        session_id = session if isinstance(session, int) else session.session.id
        while True:
            leader = self._running(await self.elected())
            known = leader.replica.machine.session(session_id)
            if known is None:
                return
            leader.input(leader.expire, session_id, known.attachment)
            await self._loop.until(partial(self._is_over, session_id, known.attachment))

    def _is_over(self, session_id: int, attachment: int) -> bool:
        """Whether a session has ended, or was attached anew."""
        leader = self._commanding
        if leader is None:
            return False
        known = leader.replica.machine.session(session_id)
        return known is None or known.attachment != attachment

    # ----------------------------------------------------------------------------------- network

    def partition(self, *side: Client | int) -> None:
        """Part these replicas and clients from all others, present and future.

            servers.partition(zk)  # a client that reaches nobody
            servers.partition(servers.leader, zk)  # a leader without followers, and its client

        Connections do not break: what is sent waits, as with TCP, until `heal`.
        """
        self.network.part(self._parties(side))

    def cut(self, one: Client | int, *others: Client | int) -> None:
        """Let one not reach the others, nor these it; else as `partition`.

        servers.cut(zk, 1, 2)
        await zk.sync()  # over replica 3
        """
        for other in others:
            self.network.cut(self._party(one), self._party(other))

    def heal(self, *parties: Client | int) -> None:
        """End all partitions and cuts in which one of these was named; without any: all.

        servers.partition(zk, servers.leader)
        servers.heal(zk)
        servers.disconnect(zk)
        await zk.sync()  # on a new connection
        """
        self.network.heal(self._parties(parties))
        self._cabling.dial()

    def disconnect(self, zk: Client | None = None) -> None:
        """Break the connection of a client, or all; whoever wants to connects again at once."""
        for process in self._processes.values():
            for door in list(process.doors.values()):
                if zk is None or door.dialer is self._dialer(zk):
                    door.break_off()

    def _parties(self, named: Iterable[Client | int]) -> frozenset[Party]:
        return frozenset(map(self._party, named))

    def _party(self, named: Client | int) -> Party:
        if isinstance(named, Client):
            return self._dialer(named)
        if named not in self._disks:
            raise ValueError(f"replica {named} is none of this ensemble")
        return named

    def _dialer(self, zk: Client) -> Dialer:
        dialer = self._dialers.get(zk)
        if dialer is None:
            raise ValueError("a client that this ensemble's `connect` has not made, or has closed")
        return dialer

    # ---------------------------------------------------------------------------------- requests

    def drop_next_reply(self, zk: Client | None = None, opcode: OpCode | None = None) -> trio.Event:
        """Carry out a client's next request, or anybody's; lose the reply with the connection.

            dropped = servers.drop_next_reply(zk, OpCode.CREATE2)
            await zk.create("/me", ephemeral=True)  # it is found to be there
            assert dropped.is_set()

        opcode: which request; None: any but those that a client sends by itself, as pings.
        Returns an event that is set when it has happened.
        """
        return self._plan("drop reply", zk, opcode)

    def drop_next_request(
        self, zk: Client | None = None, opcode: OpCode | None = None
    ) -> trio.Event:
        """Lose the next request with the connection, before any replica sees it.

            servers.drop_next_request(zk)

        Else as `drop_next_reply`.
        """
        return self._plan("drop request", zk, opcode)

    def ignore_next_request(
        self, zk: Client | None = None, opcode: OpCode | None = None
    ) -> trio.Event:
        """Neither carry out nor answer the next request; the connection stays.

            servers.ignore_next_request(zk)
            with trio.move_on_after(1):
                await zk.get("/a")

        Else as `drop_next_reply`.
        """
        return self._plan("ignore", zk, opcode)

    def refuse_next(self, error: int, zk: Client | None = None) -> trio.Event:
        """Answer the next request with an error, as `client.NoAuth.code`; do not carry it out.

            servers.refuse_next(client.NoAuth.code)

        Returns an event that is set when it has happened.
        """
        return self._plan("refuse", zk, None, error)

    def _plan(
        self, kind: Kind, zk: Client | None, opcode: OpCode | None, error: int = 0
    ) -> trio.Event:
        dialer = None if zk is None else self._dialer(zk)
        return self._mishaps.add(Mishap(kind, dialer, opcode, error))

    # ----------------------------------------------------------------------------------- its task

    async def keep_running(
        self,
        task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run until the scope is cancelled that this starts with.

        A cancellation from outside reaches the clients first, which still have locks to release
        and sessions to close.
        """
        with trio.CancelScope(shield=True) as scope:
            task_status.started(scope)
            await self._loop.run()


@asynccontextmanager
async def ensemble(
    replicas: int = 3, *, seed: int = 0, latency: float = 0.0, quorums: str = "majority"
) -> AsyncIterator[Ensemble]:
    """Run an ensemble in memory while a block runs; it begins once there is a leader.

        async with client.testing.ensemble(replicas=3) as servers: ...

    It is made for Trio's autojump clock, on which nobody waits for time to pass.

    replicas: how many; they are numbered from 1.
    seed: decides all that is left to chance: the ensemble's own, that of the module `random`, and
        which task Trio runs first. The same seed, the same run.
    latency: how long a message takes between two replicas, or a replica and a client, in seconds;
        each draws between none and twice of it. With 0, what is written is at once on all replicas
        that are reached; else followers lag behind, and a read without sync may show it.
    quorums: which replicas elect and which replicate, in the text form of a quorum system.

    Raises ValueError when the replicas or the quorums cannot be.
    """
    if not 1 <= replicas <= REPLICAS_MAX:
        raise ValueError(f"an ensemble has 1 to {REPLICAS_MAX} replicas, not {replicas}")
    parse(quorums, range(1, replicas + 1))
    error: BaseException | None = None
    with decided_by(seed) as chance:
        servers = Ensemble(replicas, chance, latency, quorums)
        try:
            async with trio.open_nursery() as nursery:
                scope = await nursery.start(servers.keep_running)
                try:
                    for replica in servers.replicas:
                        servers.start(replica)
                    await servers.elected()
                    yield servers
                except BaseException as raised:
                    error = raised
                    raise
                finally:
                    scope.cancel()
        except BaseExceptionGroup as group:
            if error is None or group.exceptions != (error,):
                raise
        if error is not None:
            raise error  # as the body raised it: the nursery is nobody's business
