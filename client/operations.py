"""The operations on znodes, under kazoo's names.

Every method waits while there is no connection; the caller's cancel scope says for how long. A
request whose reply was lost is repeated, decided by reading, or raises `OutcomeUnknown`: see
`client.decide`. With `idempotent=True` an equal effect of somebody else's write will do.
"""

from collections.abc import Sequence
from typing import Literal, overload

from client import decide
from client.calls import OPEN_ACL, Calls
from client.errors import OutcomeUnknown, ReplyLost
from client.hosts import is_path
from client.transactions import Transaction
from client.znodes import Stat, Znode
from coord.wire.errors import NoNode, NotEmpty
from coord.wire.numbers import AddWatchMode, CreateFlag, OpCode, WatcherType
from coord.wire.records import Acl
from coord.wire.requests import (
    AddWatchRequest,
    GetAclRequest,
    GetAllChildrenNumberRequest,
    GetEphemeralsRequest,
    ReconfigRequest,
    RemoveWatchesRequest,
    SetAclRequest,
    SetDataRequest,
    SyncRequest,
    WhoAmIRequest,
)


class Operations:
    """What can be asked of the servers."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._chroot = calls.keeper.settings.config.hosts.chroot

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
    ) -> str | tuple[str, Stat]:
        """Create a znode; return the path it got, with `include_data` its Stat as well.

        `sequence` appends a number; the path may then end with a slash. `makepath` creates missing
        ancestors, with the same ACL. A `container` is deleted by the servers when its last child
        has gone; a znode with a `ttl` when it has no children and was not set for so many seconds.
        """
        full = self._full(path, sequence=sequence)
        flag = _create_flag(ephemeral, sequence, container, ttl)
        acls = OPEN_ACL if acl is None else tuple(acl)
        ttl_ms = None if ttl is None else round(ttl * 1000)
        while True:
            try:
                created, stat = await self._calls.create(full, value, flag, acl=acls, ttl_ms=ttl_ms)
            except NoNode:
                if not makepath:
                    raise
                await self._calls.ensure(full.rpartition("/")[0] or "/", acls)
                continue
            except ReplyLost as lost:
                owner = lost.session if ephemeral else None
                if sequence:
                    await decide.created_sequential(self._calls, full, lost, owner=owner)
                    continue
                decided = await decide.created(
                    self._calls, full, value, lost, owner=owner, idempotent=idempotent
                )
                if decided is None:
                    continue
                created, stat = decided
            own = self._own(created)
            return (own, stat) if include_data else own

    async def ensure_path(self, path: str, acl: Sequence[Acl] | None = None) -> None:
        """Create a znode and its ancestors where they are missing."""
        await self._calls.ensure(self._full(path), OPEN_ACL if acl is None else tuple(acl))

    async def delete(
        self, path: str, version: int = -1, *, recursive: bool = False, idempotent: bool = False
    ) -> None:
        """Delete a znode, with `recursive` all below it too: then it need not be there at all."""
        full = self._full(path)
        if recursive:
            await self._delete_all(full)
            return
        while True:
            try:
                await self._calls.delete(full, version)
            except ReplyLost as lost:
                if await decide.deleted(self._calls, full, version, lost, idempotent=idempotent):
                    return
            else:
                return

    async def _delete_all(self, full: str) -> None:
        while True:
            try:
                await self._calls.delete(full)
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
            return (await self._calls.children(full))[0]
        except NoNode:
            return []

    # Data.

    async def exists(self, path: str) -> Stat | None:
        """Return the Stat of a znode; None when there is none."""
        return await self._calls.exists(self._full(path))

    async def get(self, path: str) -> Znode:
        """Return data and Stat of a znode."""
        return await self._calls.get(self._full(path))

    async def set(
        self, path: str, value: bytes, version: int = -1, *, idempotent: bool = False
    ) -> Stat:
        """Replace the data of a znode, if it has this version."""
        full = self._full(path)
        while True:
            try:
                request = SetDataRequest(full, value, version)
                reply = await self._calls.write(OpCode.SET_DATA, request)
            except ReplyLost as lost:
                stat = await decide.replaced(
                    self._calls, full, value, version, lost, idempotent=idempotent
                )
                if stat is not None:
                    return stat
            else:
                return Stat.of(reply.stat)

    async def sync(self, path: str = "/") -> str:
        """Wait until the server has all that was written before, by anybody; return the path."""
        await self._calls.read(OpCode.SYNC, SyncRequest(self._full(path)))
        return path

    def transaction(self) -> Transaction:
        """Begin a transaction: several writes of which all are carried out, or none."""
        return Transaction(self._calls, self._full, self._own)

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
        """Return the names of children in any order, with `include_data` the Stat as well."""
        children, stat = await self._calls.children(self._full(path))
        return (children, stat) if include_data else children

    async def get_all_children_number(self, path: str) -> int:
        """Return the number of descendants."""
        request = GetAllChildrenNumberRequest(self._full(path))
        reply = await self._calls.read(OpCode.GET_ALL_CHILDREN_NUMBER, request)
        total: int = reply.total
        return total

    async def get_ephemerals(self, prefix: str = "/") -> list[str]:
        """Return the paths of this session's ephemeral znodes that begin with a prefix."""
        within = "/" if prefix == "/" and not self._chroot else self._chroot + prefix
        request = GetEphemeralsRequest(within)
        reply = await self._calls.read(OpCode.GET_EPHEMERALS, request)
        return sorted(self._own(path) for path in reply.paths)

    # Permissions and identities.

    async def get_acls(self, path: str) -> tuple[list[Acl], Stat]:
        """Return the ACL of a znode, and its Stat."""
        reply = await self._calls.read(OpCode.GET_ACL, GetAclRequest(self._full(path)))
        return list(reply.acl or ()), Stat.of(reply.stat)

    async def set_acls(self, path: str, acls: Sequence[Acl], version: int = -1) -> Stat:
        """Replace the ACL of a znode, if its ACL has this version."""
        full = self._full(path)
        while True:
            try:
                request = SetAclRequest(full, tuple(acls), version)
                reply = await self._calls.write(OpCode.SET_ACL, request)
            except ReplyLost as lost:
                await self._calls.sync()
                stat = await self._calls.exists(full)
                if version == -1 or stat is None or stat.aversion > version:
                    raise OutcomeUnknown("set_acls", full) from lost
            else:
                return Stat.of(reply.stat)

    async def add_auth(self, scheme: str, credential: str | bytes) -> None:
        """Add an identity, such as "digest" with "user:password", here and on reconnects."""
        secret = credential.encode() if isinstance(credential, str) else credential
        await self._calls.keeper.add_auth(scheme, secret)

    async def who_am_i(self) -> list[tuple[str, str]]:
        """Return scheme and id of each identity that the server knows of."""
        reply = await self._calls.read(OpCode.WHO_AM_I, WhoAmIRequest())
        return [(each.auth_scheme or "", each.user or "") for each in reply.clients]

    # The ensemble.

    async def reconfig(
        self,
        joining: str | None = None,
        leaving: str | None = None,
        new_members: str | None = None,
        from_config: int = -1,
    ) -> Znode:
        """Change who is a member; return the new configuration.

        Either `joining`, as "server.4=host:2888:3888;2181", and `leaving`, as "1,2", or all
        `new_members`; with commas between. `from_config` is the version it is meant for, -1 any.
        Raises ReconfigDisabled where the servers do not do it, NewConfigNoQuorum, NoAuth, and
        OutcomeUnknown when the reply was lost.

            await zk.reconfig(leaving="3")
        """
        request = ReconfigRequest(joining, leaving, new_members, from_config)
        try:
            reply = await self._calls.write(OpCode.RECONFIG, request)
        except ReplyLost as lost:
            raise OutcomeUnknown("reconfig", "") from lost
        return Znode(reply.data or b"", Stat.of(reply.stat))

    # Watches, as the server has them. To hear of changes, iterate over `watch` or `events`.

    async def add_watch(self, path: str, *, recursive: bool = False) -> None:
        """Set a persistent watch on this connection; `events` does that by itself."""
        mode = AddWatchMode.PERSISTENT_RECURSIVE if recursive else AddWatchMode.PERSISTENT
        request = AddWatchRequest(self._full(path), mode)
        await self._calls.read(OpCode.ADD_WATCH, request)

    async def remove_watches(self, path: str, kind: WatcherType = WatcherType.ANY) -> None:
        """Remove this connection's watches of a znode; NoWatcher when there are none."""
        try:
            request = RemoveWatchesRequest(self._full(path), kind)
            await self._calls.write(OpCode.REMOVE_WATCHES, request)
        except ReplyLost:
            return  # all watches went with the connection

    # Paths.

    def _full(self, path: str, *, sequence: bool = False) -> str:
        """Return the path at the server."""
        if not is_path(path[:-1] if sequence and path.endswith("/") and path != "/" else path):
            raise ValueError(f"{path!r} is no path")
        return self._chroot + path if path != "/" or sequence else self._chroot or "/"

    def _own(self, full: str) -> str:
        """Return the path as this client sees it."""
        return full[len(self._chroot) :] or "/" if full.startswith(self._chroot) else full


def _create_flag(
    ephemeral: bool,  # noqa: FBT001  (the arguments of `create`)
    sequence: bool,  # noqa: FBT001
    container: bool,  # noqa: FBT001
    ttl: float | None,
) -> CreateFlag:
    if ephemeral + container + (ttl is not None) > 1:
        raise ValueError("a znode is ephemeral, or a container, or has a ttl")
    if container and sequence:
        raise ValueError("a container gets no number")
    if container:
        return CreateFlag.CONTAINER
    if ttl is not None:
        return (
            CreateFlag.PERSISTENT_SEQUENTIAL_WITH_TTL
            if sequence
            else CreateFlag.PERSISTENT_WITH_TTL
        )
    if ephemeral:
        return CreateFlag.EPHEMERAL_SEQUENTIAL if sequence else CreateFlag.EPHEMERAL
    return CreateFlag.PERSISTENT_SEQUENTIAL if sequence else CreateFlag.PERSISTENT
