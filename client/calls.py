"""Single requests on full server paths, as everything above needs them.

Reads whose reply was lost are repeated here: that is always right. For writes it is not, so
`ReplyLost` goes on to whoever knows what the write means.
"""

from collections.abc import Sequence
from typing import Any

import attrs

from client.errors import ReplyLost
from client.hub import Hub
from client.keeper import Keeper
from client.pending import Decode, Pending
from client.session import Session
from client.znodes import Stat, Znode
from coord.wire.errors import NoAuth, NodeExists, NoNode, Unimplemented
from coord.wire.numbers import CreateFlag, OpCode, Permission, WatcherType
from coord.wire.records import Acl, Id
from coord.wire.requests import (
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    ExistsRequest,
    GetChildren2Request,
    GetDataRequest,
    SetDataRequest,
    SyncRequest,
)

OPEN_ACL = (Acl(Permission.ALL, Id("world", "anyone")),)
"""Everybody may do everything: what a znode gets that is created without an ACL.

    await zk.create("/jobs/8", b"resize 8", acl=OPEN_ACL)
"""


@attrs.frozen
class Calls:
    """The requests of one client, below its chroot and its retries."""

    keeper: Keeper
    """Owns the connection."""
    hub: Hub
    """Is told of what is watched."""

    waits: bool = True
    """Whether requests wait for a connection; else they raise Away when there is none."""

    def own(self, full: str) -> str:
        """Return a path at the servers as the user of this client calls it: for errors."""
        return self.keeper.own(full)

    @property
    def plain(self) -> "Calls":
        """The same requests free of what a hold demands: see `client.pinned`."""
        return self

    async def read(
        self,
        opcode: OpCode,
        request: object,
        session: Session | None = None,
        decode: Decode | None = None,
    ) -> Any:
        """Send a request that changes nothing, until it is answered; return what it says.

        `decode` makes that of the reply; None: it is the record which answers the request.
        """
        while True:
            try:
                return await self.keeper.call(
                    opcode, request, session, decode=decode, waits=self.waits
                )
            except ReplyLost:
                continue

    async def write(
        self,
        opcode: OpCode,
        request: object,
        session: Session | None = None,
        decode: Decode | None = None,
    ) -> Any:
        """Send a request once. Raise ReplyLost when nobody knows what became of it."""
        return await self.keeper.call(opcode, request, session, decode=decode, waits=self.waits)

    async def exchange_all(self, requests: Sequence[Pending]) -> None:
        """Send requests in their order, and wait until each has an outcome."""
        await self.keeper.exchange_all(requests, waits=self.waits)

    async def sync(self, session: Session | None = None) -> None:
        """Wait until the server has all that was written before."""
        await self.read(OpCode.SYNC, SyncRequest("/"), session)

    async def exists(
        self, path: str, *, watch: bool = False, session: Session | None = None
    ) -> Stat | None:
        """Return the Stat of a znode, None when there is none. A watch is set either way."""
        watch = watch and self.hub.arms(path, WatcherType.DATA)
        try:
            stat: Stat = await self.read(
                OpCode.EXISTS, ExistsRequest(path, watch), session, Stat.read
            )
        except NoNode:
            return None
        return stat

    async def get(self, path: str, *, watch: bool = False, session: Session | None = None) -> Znode:
        """Return a znode. A watch is set only if there is one."""
        watch = watch and self.hub.arms(path, WatcherType.DATA)
        request = GetDataRequest(path, watch)
        znode: Znode = await self.read(OpCode.GET_DATA, request, session, Znode.read)
        return znode

    async def children(
        self, path: str, *, watch: bool = False, session: Session | None = None
    ) -> tuple[list[str], Stat]:
        """Return the names of children, in any order, and the Stat of the parent."""
        watch = watch and self.hub.arms(path, WatcherType.CHILDREN)
        reply = await self.read(OpCode.GET_CHILDREN2, GetChildren2Request(path, watch), session)
        return list(reply.children), Stat.of(reply.stat)

    async def create(
        self,
        path: str,
        data: bytes,
        flag: CreateFlag = CreateFlag.PERSISTENT,
        *,
        acl: tuple[Acl, ...] = OPEN_ACL,
        ttl_ms: int | None = None,
        session: Session | None = None,
    ) -> tuple[str, Stat]:
        """Create a znode; return the path it got and its Stat."""
        if ttl_ms is not None:
            request = CreateTtlRequest(path, data, acl, flag, ttl_ms)
            reply = await self.write(OpCode.CREATE_TTL, request, session)
        else:
            opcode = OpCode.CREATE2 if flag != CreateFlag.CONTAINER else OpCode.CREATE_CONTAINER
            reply = await self.write(opcode, CreateRequest(path, data, acl, flag), session)
        return reply.path, Stat.of(reply.stat)

    async def set(
        self, path: str, data: bytes, version: int = -1, session: Session | None = None
    ) -> Stat:
        """Replace the data of a znode; return its Stat."""
        request = SetDataRequest(path, data, version)
        stat: Stat = await self.write(OpCode.SET_DATA, request, session, Stat.read)
        return stat

    async def ensure(
        self, path: str, acl: tuple[Acl, ...] = OPEN_ACL, *, container: bool = False
    ) -> None:
        """Create a znode and its ancestors where they are missing."""
        while path != "/":
            try:
                flag = CreateFlag.CONTAINER if container else CreateFlag.PERSISTENT
                await self.create(path, b"", flag, acl=acl)
            except ReplyLost:
                continue
            except NodeExists:
                return
            except NoAuth:
                # Servers look at the ACL of the parent before they look for the znode.
                if await self.exists(path) is None:
                    raise
                return
            except Unimplemented:
                if not container:
                    raise
                container = False
            except NoNode:
                await self.ensure(path.rpartition("/")[0] or "/", acl)
            else:
                return

    async def delete(self, path: str, version: int = -1, session: Session | None = None) -> None:
        """Delete a znode."""
        await self.write(OpCode.DELETE, DeleteRequest(path, version), session)


def create_flag(*, ephemeral: bool, sequence: bool, container: bool, ttl: bool) -> CreateFlag:
    """Return the mode of a new znode. Raise ValueError for one that there is not."""
    if ephemeral + container + ttl > 1:
        raise ValueError("a znode is ephemeral, or a container, or has a ttl")
    if container and sequence:
        raise ValueError("a container gets no number")
    if container:
        return CreateFlag.CONTAINER
    if ttl and sequence:
        return CreateFlag.PERSISTENT_SEQUENTIAL_WITH_TTL
    if ttl:
        return CreateFlag.PERSISTENT_WITH_TTL
    return CreateFlag(ephemeral + 2 * sequence)
