"""What became of a write whose reply was lost, as far as reading can tell.

Before anything is read, a sync makes sure that whatever the old connection still carried has been
carried out or refused by the server that is read from. Then two zxids decide most cases: the last
one seen before the write can have been carried out, and that of the last change. What has not
changed since then was not changed by the write, so it may be sent again; a znode that is older has
been there all the time.

Nothing tells who made a change, but for ephemeral znodes: they name their session, though not the
task. Where several requests of one session may have made the same one, nobody knows which it was.
Two tasks are never both told that theirs did: what one was told before the other's loss is older
than that, and what one was told or lost since then is counted: see `Session.doubts`. Another client
that wrote the same bytes, expecting the same version, cannot be told from ourselves, and
taking its success for ours would count two increments as one. Callers for whom that makes no
difference say `idempotent`: then it is enough that the znode is as they wanted it.

Each function returns None when the write was certainly not carried out and shall be sent again.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from client.calls import Calls
from client.errors import ClientClosed, OutcomeUnknown, ReplyLost
from client.session import Session
from client.znodes import Stat
from coord.wire.errors import (
    BadVersion,
    NoAuth,
    NodeExists,
    NoNode,
    SessionExpired,
    ZooKeeperError,
)


@contextmanager
def unless_away(operation: str, path: str, lost: ReplyLost) -> Iterator[None]:
    """Raise OutcomeUnknown when nothing can be read within this block.

    That a server refuses to be asked, as one that has lost its ensemble does, says nothing of the
    write. What says something of it goes on.
    """
    try:
        yield
    except (NodeExists, BadVersion, SessionExpired, OutcomeUnknown):
        raise
    except (ClientClosed, ZooKeeperError):
        raise OutcomeUnknown(operation, path) from lost


async def created(
    calls: Calls,
    path: str,
    data: bytes,
    lost: ReplyLost,
    *,
    owner: Session | None,
    idempotent: bool,
) -> tuple[str, Stat] | None:
    """Decide a create under a name of its own; `owner` is the session of an ephemeral znode."""
    calls = calls.plain
    await calls.sync(owner)
    with _doubting(owner, path):
        try:
            found, stat = await calls.get(path, session=owner)
        except NoAuth:
            raise OutcomeUnknown("create", calls.own(path)) from lost
        except NoNode:
            parent = await calls.exists(path.rpartition("/")[0] or "/", session=owner)
            if idempotent or (parent is not None and parent.pzxid <= lost.zxid):
                return None
            raise OutcomeUnknown("create", calls.own(path)) from lost
        if stat.czxid <= lost.zxid:
            raise NodeExists(calls.own(path)) from lost
        if owner is not None and stat.ephemeral_owner == owner.id and found == data:
            if owner.doubts[path] > 1 and not idempotent:
                raise OutcomeUnknown("create", calls.own(path)) from lost
            return path, stat
        if idempotent and (owner is not None or found != data):
            raise NodeExists(calls.own(path)) from lost
        if idempotent:
            return path, stat
        raise OutcomeUnknown("create", calls.own(path)) from lost


@contextmanager
def _doubting(owner: Session | None, path: str) -> Iterator[None]:
    """Take one doubt off an ephemeral znode, unless it remains unknown what became of a create."""
    is_known = False
    try:
        yield
        is_known = True
    except NodeExists:
        is_known = True
        raise
    finally:
        if owner is not None and is_known:
            owner.doubts -= Counter([path])


async def created_sequential(
    calls: Calls,
    path: str,
    _data: bytes,
    lost: ReplyLost,
    *,
    owner: Session | None,
    idempotent: bool,  # noqa: ARG001  (no other's znode has an equal effect)
) -> tuple[str, Stat] | None:
    """Decide a create that the server numbers: no name, so nothing to look for."""
    calls = calls.plain
    await calls.sync(owner)
    parent = await calls.exists(path.rpartition("/")[0] or "/", session=owner)
    if parent is None or parent.pzxid > lost.zxid:
        raise OutcomeUnknown("create", calls.own(path)) from lost
    return None


async def created_marked(
    calls: Calls,
    path: str,
    _data: bytes,
    lost: ReplyLost,
    *,
    owner: Session | None,
    idempotent: bool,
) -> tuple[str, Stat] | None:
    """Decide a create under a name, number apart, which holds what nobody else has.

    If it is not there, somebody may have deleted it already, as a worker who takes from a queue:
    then only a parent that has not changed says that it was never made.
    """
    calls = calls.plain
    parent, _, name = path.rpartition("/")
    await calls.sync(owner)
    try:
        names, about = await calls.children(parent or "/", session=owner)
    except NoNode:
        raise OutcomeUnknown("create", calls.own(path)) from lost
    for each in names:
        if each.startswith(name):
            stat = await calls.exists(f"{parent}/{each}", session=owner)
            if stat is not None:
                return f"{parent}/{each}", stat
    if idempotent or about.pzxid <= lost.zxid:
        return None
    raise OutcomeUnknown("create", calls.own(path)) from lost


async def replaced(
    calls: Calls, path: str, data: bytes, version: int, lost: ReplyLost, *, idempotent: bool
) -> Stat | None:
    """Decide a set."""
    calls = calls.plain
    await calls.sync()
    try:
        found, stat = await calls.get(path)
    except NoAuth:
        raise OutcomeUnknown("set", calls.own(path)) from lost
    except NoNode:
        if idempotent:
            return None
        raise OutcomeUnknown("set", calls.own(path)) from lost
    if stat.mzxid <= lost.zxid:
        return None
    is_ours = found == data and version in (-1, stat.version - 1)
    if is_ours and (idempotent or version == -1):
        return stat
    if version == -1 and idempotent:
        return None
    if version != -1 and stat.czxid <= lost.zxid:
        # The znode has been there all the time, so its versions tell what happened to it.
        if stat.version <= version:
            return None
        if stat.version == version + 1 and found != data:
            raise BadVersion(calls.own(path)) from lost
    raise OutcomeUnknown("set", calls.own(path)) from lost


async def permitted(calls: Calls, path: str, version: int, lost: ReplyLost) -> None:
    """Decide a change of permissions; raise OutcomeUnknown unless it was certainly not made.

    Nothing tells when the ACL of a znode has changed but the number of changes, and that only in a
    znode that has been there all the time.
    """
    calls = calls.plain
    await calls.sync()
    stat = await calls.exists(path)
    is_unchanged = stat is not None and stat.czxid <= lost.zxid and stat.aversion <= version
    if version == -1 or not is_unchanged:
        raise OutcomeUnknown("set_acls", calls.own(path)) from lost


async def deleted(
    calls: Calls, path: str, version: int, lost: ReplyLost, *, idempotent: bool
) -> bool | None:
    """Decide a delete."""
    calls = calls.plain
    await calls.sync()
    stat = await calls.exists(path)
    if stat is None:
        if idempotent:
            return True
        raise OutcomeUnknown("delete", calls.own(path)) from lost
    if stat.czxid <= lost.zxid or (idempotent and version == -1):
        return None
    raise OutcomeUnknown("delete", calls.own(path)) from lost
