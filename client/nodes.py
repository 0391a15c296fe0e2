"""The operations on znodes, under kazoo's names.

Every method waits while there is no connection; the caller's cancel scope says for how long. (With
when_away="fail" it raises `Away` instead.) A request whose reply was lost is repeated, decided by
reading, or raises `OutcomeUnknown`: see `client.decide`. With `idempotent=True` an equal effect of
somebody else's write will do. A path that cannot be one raises ValueError before anything is sent,
and so does what is too large for a request: about a million bytes. Besides the errors named, every
method may raise NoAuth, and every write QuotaExceeded, or NotReadOnly while `state` is READ_ONLY.
"""

import uuid
from collections.abc import Sequence
from typing import Literal, overload

import attrs

from client import decide
from client.batch import Batch
from client.calls import OPEN_ACL, Calls, create_flag
from client.errors import ReplyLost
from client.hosts import is_path
from client.transactions import Snapshot, Transaction
from client.znodes import Stat, Znode
from coord.wire.errors import NoNode, NotEmpty
from coord.wire.numbers import OpCode
from coord.wire.records import Acl
from coord.wire.requests import (
    GetAllChildrenNumberRequest,
    GetEphemeralsRequest,
    SyncRequest,
)


class Nodes:
    """What can be asked of the servers about znodes."""

    def __init__(self, calls: Calls) -> None:
        config = calls.keeper.settings.config
        self._calls = calls
        self._requests = attrs.evolve(calls, waits=config.when_away == "wait")
        self._chroot = config.hosts.chroot

    # Creating and deleting.

    @overload
    async def create(
        self,
        path: str,
        value: bytes = ...,
        acl: Sequence[Acl] | None = ...,
        *,
        ephemeral: bool = ...,
        sequence: bool = ...,
        makepath: bool = ...,
        include_data: Literal[False] = ...,
        container: bool = ...,
        ttl: float | None = ...,
        idempotent: bool = ...,
        marked: bool = ...,
    ) -> str: ...

    @overload
    async def create(
        self,
        path: str,
        value: bytes = ...,
        acl: Sequence[Acl] | None = ...,
        *,
        ephemeral: bool = ...,
        sequence: bool = ...,
        makepath: bool = ...,
        include_data: Literal[True],
        container: bool = ...,
        ttl: float | None = ...,
        idempotent: bool = ...,
        marked: bool = ...,
    ) -> tuple[str, Stat]: ...

    async def create(  # noqa: PLR0913
        self,
        path: str,
        value: bytes = b"",
        acl: Sequence[Acl] | None = None,
        *,
        ephemeral: bool = False,
        sequence: bool = False,
        makepath: bool = False,
        include_data: bool = False,
        container: bool = False,
        ttl: float | None = None,
        idempotent: bool = False,
        marked: bool = False,
    ) -> str | tuple[str, Stat]:
        """Create a znode; return the path it got, with `include_data` its Stat as well.

            await zk.create("/app/config", b"{}", makepath=True)
            path = await zk.create("/jobs/job-", b"...", sequence=True, marked=True)

        acl: who may do what; None: everybody everything.
        ephemeral: it goes with the session.
        sequence: a number is appended; the path may then end with a slash.
        makepath: missing ancestors are created, with the same ACL.
        container: the servers delete it when its last child has gone.
        ttl: in seconds; the servers delete it when it has no children and was not set for so long.
        marked: what nobody else has is put before its name, so that it is found again when the
            reply is lost; without, a numbered znode then is OutcomeUnknown.

        Raises NodeExists, NoNode (no parent), NoChildrenForEphemerals, InvalidAcl, Unimplemented
        (no ttl at these servers), SessionExpired (it was ephemeral, and its session has ended).
        """
        marker = f"_c_{uuid.uuid4()}-" if marked else ""
        parent, _, name = self._full(path, sequence=sequence).rpartition("/")
        full = f"{parent}/{marker}{name}"
        flag = create_flag(
            ephemeral=ephemeral, sequence=sequence, container=container, ttl=ttl is not None
        )
        acls = OPEN_ACL if acl is None else tuple(acl)
        ttl_ms = None if ttl is None else round(ttl * 1000)
        decision = decide.created_sequential if sequence else decide.created
        decision = decide.created_marked if marked else decision
        while True:
            try:
                created, stat = await self._requests.create(
                    full, value, flag, acl=acls, ttl_ms=ttl_ms
                )
            except NoNode:
                if not makepath:
                    raise
                await self._requests.ensure(full.rpartition("/")[0] or "/", acls)
                continue
            except ReplyLost as lost:
                owner = lost.session if ephemeral else None
                with decide.unless_away("create", self._own(full), lost):
                    decided = await decision(
                        self._requests, full, value, lost, owner=owner, idempotent=idempotent
                    )
                if decided is None:
                    continue
                created, stat = decided
            own = self._own(created)
            return (own, stat) if include_data else own

    async def ensure_path(self, path: str, acl: Sequence[Acl] | None = None) -> None:
        """Create a znode and its ancestors where they are missing.

        await zk.ensure_path("/a/b/c")
        """
        await self._requests.ensure(self._full(path), OPEN_ACL if acl is None else tuple(acl))

    async def delete(
        self, path: str, version: int = -1, *, recursive: bool = False, idempotent: bool = False
    ) -> None:
        """Delete a znode, with `recursive` all below it too: then it need not be there at all.

            data, stat = await zk.get("/a")
            await zk.delete("/a", stat.version)

        version: the one it must have; -1 for any. Raises NoNode, BadVersion, NotEmpty.
        """
        full = self._full(path)
        if recursive:
            await self._delete_all(full)
            return
        while True:
            try:
                await self._requests.delete(full, version)
            except ReplyLost as lost:
                with decide.unless_away("delete", self._own(full), lost):
                    done = await decide.deleted(
                        self._requests, full, version, lost, idempotent=idempotent
                    )
                if done:
                    return
            else:
                return

    async def _delete_all(self, full: str) -> None:
        while True:
            try:
                await self._requests.delete(full)
            except NotEmpty:
                children = await self._children_or_none(full)
                for child in children:
                    await self._delete_all(f"{full}/{child}")
            except ReplyLost:
                continue
            except NoNode:
                return
            else:
                return

    async def _children_or_none(self, full: str) -> list[str]:
        try:
            return (await self._requests.children(full))[0]
        except NoNode:
            return []

    # Data.

    async def exists(self, path: str) -> Stat | None:
        """Return the Stat of a znode; None when there is none.

        stat = await zk.exists("/a")
        print("none" if stat is None else stat.version)
        """
        return await self._requests.exists(self._full(path))

    async def get(self, path: str) -> Znode:
        """Return data and Stat of a znode. Raises NoNode.

        data, stat = await zk.get("/a")
        print(data, stat.version, stat.mtime)
        """
        return await self._requests.get(self._full(path))

    async def set(
        self, path: str, value: bytes, version: int = -1, *, idempotent: bool = False
    ) -> Stat:
        """Replace the data of a znode, if it has this version; -1: whichever. Return its Stat.

            data, stat = await zk.get("/a")
            await zk.set("/a", data + b"!", stat.version)

        Raises NoNode, BadVersion.
        """
        full = self._full(path)
        while True:
            try:
                return await self._requests.set(full, value, version)
            except ReplyLost as lost:
                with decide.unless_away("set", self._own(full), lost):
                    stat = await decide.replaced(
                        self._requests, full, value, version, lost, idempotent=idempotent
                    )
                if stat is not None:
                    return stat

    async def sync(self, path: str = "/") -> str:
        """Wait until the server has all that was written before, by anybody; return the path.

        await zk.sync()
        data, _ = await zk.get("/a")  # no older than the sync
        """
        await self._requests.read(OpCode.SYNC, SyncRequest(self._full(path)))
        return path

    def batch(self) -> Batch:
        """Begin a batch: many requests at once, each with an outcome of its own; see `Batch`.

        async with zk.batch() as batch:
            answers = [batch.get(f"/jobs/{name}") for name in names]
        data = [each.result().data for each in answers]
        """
        return Batch(self._requests, self._full)

    def snapshot(self) -> Snapshot:
        """Begin a snapshot: several reads, all of one moment; see `Snapshot`.

        snapshot = zk.snapshot()
        snapshot.get("/a")
        snapshot.get_children("/jobs")
        znode, names = await snapshot.read()
        """
        return Snapshot(self._requests, self._full)

    def transaction(self) -> Transaction:
        """Begin a transaction: several writes of which all are carried out, or none.

            async with zk.transaction() as both:
                both.check("/leader", 3)
                both.set_data("/state", b"...")

        See `Transaction`.
        """
        return Transaction(self._requests, self._full)

    # Children.

    @overload
    async def get_children(self, path: str, *, include_data: Literal[False] = ...) -> list[str]: ...

    @overload
    async def get_children(
        self, path: str, *, include_data: Literal[True]
    ) -> tuple[list[str], Stat]: ...

    async def get_children(
        self, path: str, *, include_data: bool = False
    ) -> list[str] | tuple[list[str], Stat]:
        """Return the names of children in any order, with `include_data` the Stat as well.

            for name in sorted(await zk.get_children("/jobs")):
                print(await zk.get(f"/jobs/{name}"))

        Raises NoNode.
        """
        children, stat = await self._requests.children(self._full(path))
        return (children, stat) if include_data else children

    async def get_all_children_number(self, path: str) -> int:
        """Return the number of descendants, of any depth. Raises NoNode.

        print(await zk.get_all_children_number("/jobs"), "below /jobs")
        """
        request = GetAllChildrenNumberRequest(self._full(path))
        reply = await self._requests.read(OpCode.GET_ALL_CHILDREN_NUMBER, request)
        total: int = reply.total
        return total

    async def get_ephemerals(self, prefix: str = "/") -> list[str]:
        """Return the paths of this session's ephemeral znodes that begin with a prefix.

        for path in await zk.get_ephemerals("/jobs"):
            print("goes with this session:", path)
        """
        within = "/" if prefix == "/" and not self._chroot else self._chroot + prefix
        request = GetEphemeralsRequest(within)
        reply = await self._requests.read(OpCode.GET_EPHEMERALS, request)
        return sorted(self._own(path) for path in reply.paths)

    # Paths.

    def _full(self, path: str, *, sequence: bool = False) -> str:
        """Return the path at the server."""
        if not is_path(path[:-1] if sequence and path.endswith("/") and path != "/" else path):
            raise ValueError(f"{path!r} is no path")
        return self._chroot + path if path != "/" or sequence else self._chroot or "/"

    def _own(self, full: str) -> str:
        """Return the path as this client sees it."""
        return self._calls.own(full)
