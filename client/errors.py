"""What the client raises besides the errors that servers send."""

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
    """The reply to a write was lost, and nothing that can be read tells whether it was done."""

    def __init__(self, operation: str, path: str) -> None:
        super().__init__(f"{operation} {path}: the reply was lost, it may have been done or not")
        self.operation = operation
        """The method that was called, as "set"."""
        self.path = path
        """The znode it was about; "" for a transaction."""


class Away(ConnectionLoss):
    """There is no connection, and the client was told not to wait for one: nothing was sent."""


class SessionChanged(SessionExpired):
    """The session that a request belongs to is over: it was not sent in the one that follows.

    `held.client` raises it, where a plain client would go on in a new session without a word.
    """


class ClientClosed(Exception):
    """The block of `connect` has ended, and with it this client."""


class ForeignUse(RuntimeError):
    """The client belongs to another process, as after a fork, or to another run of Trio."""


class LockLost(Exception):
    """A lock or a leadership could not be proved any longer while its body ran.

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

    Each would wait for the other. Leave the read lock, and take a write lock.
    """


class StaleToken(Exception):
    """A fencing token came that is lower than one seen before: its holder has lost its lock."""

    def __init__(self, token: int, highest: int) -> None:
        super().__init__(f"token {token} is stale: {highest} has been seen")
        self.token = token
        """The token that was refused."""
        self.highest = highest
        """The highest token seen."""
