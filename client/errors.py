"""What the client raises besides the errors that servers send.

Those have a class for each code, and come out of the call that met them:

    try:
        await zk.create("/jobs/7", b"new", ephemeral=True)
    except NodeExists:
        print("somebody was faster")
    except (NoNode, NoChildrenForEphemerals) as error:
        print("no parent, or one that cannot have children:", error)
    except (NoAuth, InvalidAcl, BadArguments, QuotaExceeded, NotReadOnly, SessionExpired) as error:
        print(error.code, type(error).__name__)

    try:
        await zk.delete("/jobs/7", version=3)
    except (NoNode, BadVersion, NotEmpty):
        print("not what it was")

    try:
        await zk.create("/job", ttl=60)
        await zk.remove_watches("/job")
    except Unimplemented:
        print("no time to live at these servers")
    except NoWatcher:
        print("nobody watches it on this connection")

    try:
        await zk.add_auth("digest", "ann:secret")
        await zk.reconfig(leaving="3")
    except AuthFailed:
        print("refused")
    except (ReconfigDisabled, ReconfigInProgress, NewConfigNoQuorum) as error:
        print("not now:", error)
    except ZooKeeperError as error:
        print("anything else that servers send:", error.code)

    try:
        await zk.create("/me", ephemeral=True)
    except (ThrottledOp, EphemeralOnLocalSession, SessionClosedRequireSaslAuth):
        print("a ZooKeeper whose settings demand it")
"""

# ruff: noqa: N818  (the classes bear the names of what happened)

from client.session import Session
from coord.wire.errors import ConnectionLoss, SessionExpired


class ReplyLost(ConnectionLoss):
    """The connection broke between a request and its reply: it was carried out, or it was not.

    Operations turn this into an answer or into `OutcomeUnknown`; users do not meet it.
    """

    def __init__(self, zxid: int, session: Session | None) -> None:
        super().__init__("the connection broke before the reply came")
        self.zxid = zxid
        """What the request did, if anything, bears a greater one than this."""
        self.session = session
        """The session it was sent in."""


class OutcomeUnknown(ConnectionLoss):
    """The reply to a write was lost, and nothing that can be read tells whether it was done.

    try:
        await zk.set("/a", b"1")
    except OutcomeUnknown as error:
        print(error.operation, error.path, await zk.get("/a"))
    """

    def __init__(self, operation: str, path: str) -> None:
        super().__init__(f"{operation} {path}: the reply was lost, it may have been done or not")
        self.operation = operation
        """The method that was called, as "set"."""
        self.path = path
        """The znode it was about, without the chroot; "" for a transaction."""


class Away(ConnectionLoss):
    """There is no connection, and the client was told not to wait for one: nothing was sent.

    async with connect("host:2181", when_away="fail") as zk:
        try:
            data, _ = await zk.get("/settings")
        except Away:
            data = b"{}"
    """


class SessionChanged(SessionExpired):
    """The session that a request belongs to is over: it was not sent in the one that follows.

        async with zk.lock("/locks/nightly") as held:
            try:
                await held.client.set("/a", b"1")
            except SessionChanged:
                print("nothing was written")

    `held.client` raises it, where a plain client would go on in a new session without a word.
    """


class ClientClosed(Exception):
    """The block of `connect` has ended, and with it this client.

    async with connect("host:2181") as zk:
        await zk.sync()
    try:
        await zk.sync()
    except ClientClosed:
        print("the block has ended")
    """


class ForeignUse(RuntimeError):
    """The client belongs to another process, as after a fork, or to another run of Trio.

    try:
        await trio.to_thread.run_sync(trio.run, zk.sync)
    except ForeignUse:
        print("another run of Trio needs a client of its own")
    """


class LockLost(Exception):
    """A lock or a leadership could not be proved any longer while its body ran.

        try:
            async with zk.lock("/locks/nightly") as held:
                await work(held.token)
        except LockLost as lost:
            print(lost.path, lost.token, lost.reason)

    The body was cancelled. What it wrote since may have been written beside another holder's
    work: that is what `held.token` and `held.guard()` are for.
    """

    def __init__(self, path: str, token: int, reason: str) -> None:
        super().__init__(f"{path} (token {token}): {reason}")
        self.path = path
        """The lock."""
        self.token = token
        """The fencing token of the hold that was lost."""
        self.reason = reason
        """What ended it, in words."""


class WouldDeadlock(Exception):
    """A reader wants to upgrade its lock, and somebody waits already for this reader to leave.

        async with zk.read_lock("/locks/table") as reading:
            try:
                async with reading.upgrade():
                    ...
            except WouldDeadlock:
                print("leave, and take zk.write_lock")

    Each would wait for the other. Leave the read lock, and take a write lock.
    """


class StaleToken(Exception):
    """A fencing token came that is lower than one seen before: its holder has lost its lock.

    fence = Fence(highest=7)
    try:
        fence.admit(5)
    except StaleToken as error:
        print(error.token, "comes after", error.highest)
    """

    def __init__(self, token: int, highest: int) -> None:
        super().__init__(f"token {token} is stale: {highest} has been seen")
        self.token = token
        """The token that was refused."""
        self.highest = highest
        """The highest token seen."""
