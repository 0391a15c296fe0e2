"""What can go wrong, as ZooKeeper numbers it: one class for each code.

A reply carries the code only. Source: org/apache/zookeeper/KeeperException.java. No code may be
added: old clients fail on codes they do not know.
"""

# ruff: noqa: N818  (the classes bear ZooKeeper's names)

from typing import ClassVar


class ZooKeeperError(Exception):
    """A request failed, and this is the reason its client is told."""

    code: ClassVar[int]
    """The number on the wire."""


class RuntimeInconsistency(ZooKeeperError):
    """In a multi: not done, because an operation before it failed."""

    code = -2


class SystemFault(ZooKeeperError):
    """A range marker of ZooKeeper; never sent."""

    code = -1


class DataInconsistency(ZooKeeperError):
    """Never sent to clients."""

    code = -3


class ConnectionLoss(ZooKeeperError):
    """At the client: the connection broke before the reply came; the outcome is unknown."""

    code = -4


class MarshallingError(ZooKeeperError):
    """The body of the request cannot be read; the connection stays open."""

    code = -5


class Unimplemented(ZooKeeperError):
    """There is no such operation (then the connection is closed), or it is switched off."""

    code = -6


class OperationTimeout(ZooKeeperError):
    """At the client: no reply in time."""

    code = -7


class BadArguments(ZooKeeperError):
    """A path, a flag or a time to live that cannot be."""

    code = -8


class UnknownSession(ZooKeeperError):
    """Between servers; clients get `SessionExpired`."""

    code = -12


class NewConfigNoQuorum(ZooKeeperError):
    """Reconfiguration: no quorum of the new configuration is in step."""

    code = -13


class ReconfigInProgress(ZooKeeperError):
    """Reconfiguration: another one is not finished."""

    code = -14


class ApiError(ZooKeeperError):
    """A range marker of ZooKeeper; never sent."""

    code = -100


class NoNode(ZooKeeperError):
    """There is no such znode, or none to be its parent."""

    code = -101


class NoAuth(ZooKeeperError):
    """The ACL does not permit it to any identity of the connection."""

    code = -102


class BadVersion(ZooKeeperError):
    """The znode has another version than the one demanded."""

    code = -103


class NoChildrenForEphemerals(ZooKeeperError):
    """An ephemeral znode cannot be a parent."""

    code = -108


class NodeExists(ZooKeeperError):
    """There is such a znode already."""

    code = -110


class NotEmpty(ZooKeeperError):
    """The znode has children, so it cannot be deleted."""

    code = -111


class SessionExpired(ZooKeeperError):
    """The session is closed, expired or unknown."""

    code = -112


class InvalidCallback(ZooKeeperError):
    """At the client only."""

    code = -113


class InvalidAcl(ZooKeeperError):
    """The ACL is empty, or names a scheme or an id that cannot be."""

    code = -114


class AuthFailed(ZooKeeperError):
    """The credential was refused; then the connection is closed."""

    code = -115


class SessionMoved(ZooKeeperError):
    """The session is attached to another connection by now; usually this one is just closed."""

    code = -118


class NotReadOnly(ZooKeeperError):
    """A write, to a replica that only reads."""

    code = -119


class EphemeralOnLocalSession(ZooKeeperError):
    """A local session cannot own ephemeral znodes."""

    code = -120


class NoWatcher(ZooKeeperError):
    """The connection has no such watch."""

    code = -121


class RequestTimeout(ZooKeeperError):
    """At the client: no reply in time."""

    code = -122


class ReconfigDisabled(ZooKeeperError):
    """Reconfiguration is switched off."""

    code = -123


class SessionClosedRequireSaslAuth(ZooKeeperError):
    """The server demands an authentication that did not come; then the connection is closed."""

    code = -124


class QuotaExceeded(ZooKeeperError):
    """A hard quota, or the disk, is full."""

    code = -125


class ThrottledOp(ZooKeeperError):
    """The request waited too long and was not done."""

    code = -127


ERRORS: dict[int, type[ZooKeeperError]] = {cls.code: cls for cls in ZooKeeperError.__subclasses__()}
"""The class of each code."""


def error_for(code: int, *details: object) -> ZooKeeperError:
    """Return an error of this code, which may be one that nobody knows."""
    cls = ERRORS.get(code)
    if cls is not None:
        return cls(*details)
    error = ZooKeeperError(f"error {code}", *details)
    vars(error)["code"] = code
    return error
