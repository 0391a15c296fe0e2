"""The other operations: permissions and identities, the ensemble, watches as servers have them.

What `client.nodes` says of waiting, of lost replies and of errors holds here as well.
"""

from collections.abc import Sequence

from client import decide
from client.errors import OutcomeUnknown, ReplyLost
from client.nodes import Nodes
from client.znodes import Stat, Znode
from coord.wire.errors import NoWatcher
from coord.wire.numbers import AddWatchMode, OpCode, WatcherType
from coord.wire.records import Acl
from coord.wire.requests import (
    AddWatchRequest,
    CheckWatchesRequest,
    GetAclRequest,
    ReconfigRequest,
    RemoveWatchesRequest,
    SetAclRequest,
    WhoAmIRequest,
)

CONFIG = "/zookeeper/config"
"""Where the servers tell of their configuration, with and without a chroot."""


class Operations(Nodes):
    """What can be asked of the servers."""

    # Permissions and identities.

    async def get_acls(self, path: str) -> tuple[list[Acl], Stat]:
        """Return the ACL of a znode, and its Stat.

            acl, stat = await zk.get_acls("/a")
            print(acl, stat.aversion)

        Raises NoNode.
        """
        reply = await self._requests.read(OpCode.GET_ACL, GetAclRequest(self._full(path)))
        return list(reply.acl or ()), Stat.of(reply.stat)

    async def set_acls(self, path: str, acls: Sequence[Acl], version: int = -1) -> Stat:
        """Replace the ACL of a znode, if its ACL has this version; -1: whichever.

            mine = Acl(Permission.ALL, Id("auth", ""))
            await zk.set_acls("/a", [mine], stat.aversion)

        Raises NoNode, BadVersion, InvalidAcl.
        """
        full = self._full(path)
        while True:
            try:
                request = SetAclRequest(full, tuple(acls), version)
                acl: Stat = await self._requests.write(OpCode.SET_ACL, request, decode=Stat.read)
            except ReplyLost as lost:
                with decide.unless_away("set_acls", self._own(full), lost):
                    await decide.permitted(self._requests, full, version, lost)
            else:
                return acl

    async def add_auth(self, scheme: str, credential: str | bytes) -> None:
        """Add an identity, here and on later connections.

            await zk.add_auth("digest", "ann:secret")
            await zk.create("/mine", acl=[Acl(Permission.ALL, Id("auth", ""))])

        Raises AuthFailed; the connection is made anew then.
        """
        secret = credential.encode() if isinstance(credential, str) else credential
        await self._requests.keeper.add_auth(scheme, secret)

    async def who_am_i(self) -> list[tuple[str, str]]:
        """Return scheme and id of each identity that the server knows of.

        for scheme, name in await zk.who_am_i():
            print(scheme, name)
        """
        reply = await self._requests.read(OpCode.WHO_AM_I, WhoAmIRequest())
        return [(each.auth_scheme or "", each.user or "") for each in reply.clients]

    # The ensemble.

    async def get_config(self) -> Znode:
        """Return the configuration of the ensemble, as text; the chroot does not count here.

        data, stat = await zk.get_config()
        print(data.decode())
        """
        return await self._requests.get(CONFIG)

    async def reconfig(
        self,
        joining: str | None = None,
        leaving: str | None = None,
        new_members: str | None = None,
        from_config: int = -1,
    ) -> Znode:
        """Change the members of the ensemble; return its new configuration.

            await zk.reconfig(joining="server.4=host:2888:3888:participant;2181", leaving="1")

        joining: lines of the configuration, with commas between them; leaving: ids; new_members:
        all lines, instead of either. from_config: the version it must have; -1 for any. Raises
        ReconfigDisabled, NoAuth, BadVersion, NewConfigNoQuorum, ReconfigInProgress, BadArguments.
        """
        request = ReconfigRequest(joining, leaving, new_members, from_config)
        try:
            znode: Znode = await self._requests.write(OpCode.RECONFIG, request, decode=Znode.read)
        except ReplyLost as lost:
            raise OutcomeUnknown("reconfig", CONFIG) from lost
        return znode

    # Watches, as the server has them. To hear of changes, iterate over `watch` or `events`.

    async def add_watch(self, path: str, *, recursive: bool = False) -> None:
        """Set a persistent watch on this connection, as long as it lasts.

            await zk.add_watch("/app", recursive=True)

        Its events are told to instruments only; `events` iterates over them, and sets it by itself.
        """
        mode = AddWatchMode.PERSISTENT_RECURSIVE if recursive else AddWatchMode.PERSISTENT
        request = AddWatchRequest(self._full(path), mode)
        await self._requests.read(OpCode.ADD_WATCH, request)

    async def check_watches(self, path: str, kind: WatcherType = WatcherType.ANY) -> bool:
        """Return whether this connection has such a watch of a znode.

        if not await zk.check_watches("/app"):
            await zk.add_watch("/app")
        """
        try:
            await self._requests.read(
                OpCode.CHECK_WATCHES, CheckWatchesRequest(self._full(path), kind)
            )
        except NoWatcher:
            return False
        return True

    async def remove_watches(self, path: str, kind: WatcherType = WatcherType.ANY) -> None:
        """Remove this connection's watches of a znode. Raises NoWatcher when there are none.

        await zk.add_watch("/app")
        await zk.remove_watches("/app", WatcherType.ANY)
        """
        try:
            request = RemoveWatchesRequest(self._full(path), kind)
            await self._requests.write(OpCode.REMOVE_WATCHES, request)
        except ReplyLost:
            return  # all watches went with the connection
