"""How contenders are named: in our own way, and as other libraries name theirs.

Programs that use the same layout of the same recipe on the same path contend with each other,
whatever library they are written with:

| layout | lock | read/write lock | semaphore | election |
| --- | --- | --- | --- | --- |
| kazoo | Lock | ReadLock, WriteLock | Semaphore | Election |
| curator | InterProcessMutex | InterProcessReadWriteLock | InterProcessSemaphoreV2 | LeaderLatch |
| zk (go-zookeeper) | Lock | - | - | - |

As in kazoo, `lock` of the kazoo layout does not see those who read: beside readers it takes a
`write_lock`. In our own layout the two are the same.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Literal, TypeVar

import attrs

LayoutName = Literal["coord", "kazoo", "curator", "zk"]
"""Whose names the contenders bear: programs that use the same can contend with each other.

    async with zk.lock("/locks/nightly", layout="curator") as held:
        await work(held.token)
"""

Kind = Literal["write", "read", "upgrade"]
"""What a contender wants: to be alone, to share with others that read, or as a reader alone."""

_SESSION_BITS = (1 << 64) - 1

_NUMBER = r"(-?\d{10,})$"


@attrs.frozen(order=True)
class Contender:
    """One znode of a queue, as its name tells."""

    number: int
    """Its place: the lowest is first."""
    name: str
    """The znode's name."""
    kind: Kind = attrs.field(order=False)
    """What it wants."""


@attrs.frozen
class Layout:
    """How the contenders of one library are named."""

    prefixes: Mapping[Kind, str]
    """What stands before the number; {marker} and {session} are filled in."""
    pattern: re.Pattern[str]
    """Finds the tag and the number of a contender."""
    tags: Mapping[str, Kind]
    """What the tags mean."""
    dashes: bool
    """Whether markers are written with dashes."""
    container: bool
    """Whether the servers shall delete the parent once the last contender has gone."""

    def parse(self, name: str) -> Contender | None:
        """Return the contender of this name; None for another znode."""
        found = self.pattern.search(name)
        return None if found is None else Contender(int(found[2]), name, self.tags[found[1]])

    def prefix(self, kind: Kind, marker: str, session_id: int) -> str:
        """Return what the servers shall append a number to."""
        return self.prefixes[kind].format(marker=marker, session=session_id & _SESSION_BITS)

    def marker(self) -> str:
        """Return what no other name contains."""
        unique = uuid.uuid4()
        return str(unique) if self.dashes else unique.hex


_COORD = Layout(
    {
        "write": "{marker}-{session:016x}-",
        "read": "{marker}-{session:016x}-read-",
        "upgrade": "{marker}-{session:016x}-upgrade-",
    },
    re.compile(r"^[0-9a-f]{32}-[0-9a-f]{16}-(|read-|upgrade-)" + _NUMBER),
    {"": "write", "read-": "read", "upgrade-": "upgrade"},
    dashes=False,
    container=True,
)

# kazoo makes sure of the parent once and then relies on it, so there it is no container.
_KAZOO = Layout(
    {"write": "{marker}__lock__"},
    re.compile("(__lock__)" + _NUMBER),
    {"__lock__": "write"},
    dashes=False,
    container=False,
)

_KAZOO_SHARED = Layout(
    {"write": "{marker}__lock__", "read": "{marker}__rlock__", "upgrade": "{marker}-up__lock__"},
    re.compile("(-up__lock__|__lock__|__rlock__)" + _NUMBER),
    {"__lock__": "write", "__rlock__": "read", "-up__lock__": "upgrade"},
    dashes=False,
    container=False,
)

_CURATOR = Layout(
    {"write": "_c_{marker}-lock-"},
    re.compile("(lock-)" + _NUMBER),
    {"lock-": "write"},
    dashes=True,
    container=True,
)

_CURATOR_SHARED = Layout(
    {
        "write": "_c_{marker}-__WRIT__",
        "read": "_c_{marker}-__READ__",
        "upgrade": "_c_{marker}-up-__WRIT__",
    },
    re.compile("(up-__WRIT__|__WRIT__|__READ__)" + _NUMBER),
    {"__WRIT__": "write", "__READ__": "read", "up-__WRIT__": "upgrade"},
    dashes=True,
    container=True,
)

_CURATOR_LATCH = Layout(
    {"write": "_c_{marker}-latch-"},
    re.compile("(latch-)" + _NUMBER),
    {"latch-": "write"},
    dashes=True,
    container=True,
)

# go-zookeeper takes Curator's names and kazoo's for contenders, whoever made them.
_ZK = Layout(
    {"write": "_c_{marker}-lock-"},
    re.compile("(lock-|__)" + _NUMBER),
    {"lock-": "write", "__": "write"},
    dashes=False,
    container=False,
)

_CURATOR_ANY = Layout(
    {},
    re.compile("(lock-|latch-|up-__WRIT__|__WRIT__|__READ__)" + _NUMBER),
    {
        "lock-": "write",
        "latch-": "write",
        "__WRIT__": "write",
        "__READ__": "read",
        "up-__WRIT__": "upgrade",
    },
    dashes=True,
    container=True,
)

LOCKS: dict[LayoutName, Layout] = {
    "coord": _COORD,
    "kazoo": _KAZOO,
    "curator": _CURATOR,
    "zk": _ZK,
}
"""Exclusive locks."""

SHARED: dict[LayoutName, Layout] = {
    "coord": _COORD,
    "kazoo": _KAZOO_SHARED,
    "curator": _CURATOR_SHARED,
}
"""Read/write locks."""

ELECTIONS: dict[LayoutName, Layout] = {
    "coord": _COORD,
    "kazoo": _KAZOO,
    "curator": _CURATOR_LATCH,
}
"""Elections."""


SEEN: dict[LayoutName, Layout] = {
    "coord": _COORD,
    "kazoo": _KAZOO_SHARED,
    "curator": _CURATOR_ANY,
    "zk": _ZK,
}
"""All of these, to be looked at."""


@attrs.frozen
class SemaphoreLayout:
    """Where a semaphore of one library keeps what: {path} is filled in."""

    door: str
    """The lock that lets those who want a permit in one by one."""
    door_layout: Layout
    """The names of its contenders."""
    permits: str
    """The parent of the permits."""
    prefix: str
    """The name of a permit; {marker} and {session} are filled in."""
    sequential: bool
    """Whether the servers append a number to it."""
    limit: str | None
    """The znode whose data is the limit; None where every client is told it."""

    def name(self, marker: str, session_id: int) -> str:
        """Return the name of a permit, without the number that the servers may append."""
        return self.prefix.format(marker=marker, session=session_id & _SESSION_BITS)


SEMAPHORES: dict[LayoutName, SemaphoreLayout] = {
    "coord": SemaphoreLayout(
        door="{path}/door",
        door_layout=_COORD,
        permits="{path}/permits",
        prefix="{marker}-{session:016x}-",
        sequential=True,
        limit="{path}",
    ),
    "kazoo": SemaphoreLayout(
        door="{path}-__lock__",
        door_layout=_KAZOO,
        permits="{path}",
        prefix="{marker}",
        sequential=False,
        limit="{path}",
    ),
    "curator": SemaphoreLayout(
        door="{path}/locks",
        door_layout=_CURATOR,
        permits="{path}/leases",
        prefix="_c_{marker}-lease-",
        sequential=True,
        limit=None,
    ),
}
"""Semaphores."""

AnyLayout = TypeVar("AnyLayout", Layout, SemaphoreLayout)


def layout_of(table: Mapping[LayoutName, AnyLayout], name: LayoutName, what: str) -> AnyLayout:
    """Return a layout; raise ValueError where that library has no such recipe."""
    if name not in table:
        raise ValueError(f"layout {name!r} has no {what}; these have: {', '.join(sorted(table))}")
    return table[name]
