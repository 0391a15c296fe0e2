"""Who holds a lock and who waits for it, as everybody can see it."""

import datetime

import attrs

from client.errors import WouldDeadlock
from client.recipes.layouts import Contender, Kind
from client.recipes.queue import Queue, blocker
from client.znodes import Stat, Znode
from coord.wire.errors import NoNode


@attrs.frozen
class Contending:
    """One that holds a lock, or waits for it.

    lock = await zk.describe_lock("/locks/nightly")
    for each in lock.holders:
        print(each.data, each.token, each.age_seconds())
    """

    name: str
    """The name of its znode."""
    kind: Kind
    """Whether it wants to be alone ("write"), to share ("read"), or to upgrade ("upgrade")."""
    data: bytes
    """What it says of itself."""
    session_id: int
    """Its session, which ends it when it ends."""
    token: int
    """Its fencing token, present or future."""
    since: datetime.datetime
    """When it came, by the clock of the servers' leader."""

    def age_seconds(self, now: datetime.datetime | None = None) -> float:
        """Return for how long it has been there, as right as `now` agrees with the leader's clock.

        now: with a time zone; None: this machine's clock.
        """
        return ((now or datetime.datetime.now(datetime.UTC)) - self.since).total_seconds()


@attrs.frozen
class LockDescription:
    """A lock at one moment.

    lock = await zk.describe_lock("/locks/nightly")
    print(len(lock.holders), "inside,", [each.data for each in lock.waiting])
    """

    path: str
    """The lock."""
    holders: tuple[Contending, ...]
    """Who holds it: nobody, one that is alone, or all that share it."""
    waiting: tuple[Contending, ...]
    """Who waits for it, in order."""


async def describe(queue: Queue, path: str) -> LockDescription:
    """Return who stands in a queue. Those that leave meanwhile are left out."""
    await queue.calls.sync()
    contenders = await queue.contenders()
    holders: list[Contending] = []
    waiting: list[Contending] = []
    for each in contenders:
        try:
            znode = await queue.calls.get(f"{queue.parent}/{each.name}")
        except NoNode:
            continue
        where = holders if _holds(contenders, each) else waiting
        where.append(_contending(each, znode))
    return LockDescription(path, tuple(holders), tuple(waiting))


def _holds(contenders: list[Contender], each: Contender) -> bool:
    if each.kind != "upgrade":
        return blocker(contenders, each, None) is None
    # It is inside as a reader, under a name of its own: it holds when that is the only other one.
    try:
        other = blocker(contenders, each, None)
        return other is None or blocker(contenders, each, other.name) is None
    except WouldDeadlock:
        return False


def _contending(contender: Contender, znode: Znode) -> Contending:
    stat: Stat = znode.stat
    return Contending(
        contender.name,
        contender.kind,
        znode.data,
        stat.ephemeral_owner,
        stat.czxid,
        stat.ctime,
    )
