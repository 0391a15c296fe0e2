"""Commands on quotas, which are znodes below /zookeeper/quota, as zkCli.sh writes them.

`/zookeeper/quota/PATH/zookeeper_limits` holds the limits, `zookeeper_stats` beside it what is used,
both as `count=N,bytes=N=;byteHardLimit=N;countHardLimit=N`, -1 for no limit. Along one path from
the root to a leaf there is one quota at most.
"""

import re
from contextlib import suppress
from typing import Final

import attrs

from client import Client, NodeExists, NoNode, NotEmpty
from coord.cli.shell.row import Given, UsageError, whole
from coord.cli.shell.shell import Shell
from coord.cli.shell.subtree import descendants

ROOT: Final = "/zookeeper/quota"
LIMITS: Final = "zookeeper_limits"
USED: Final = "zookeeper_stats"
FIELDS: Final = {"n": "count", "b": "size", "N": "count_hard", "B": "size_hard"}
"""Option -> what it limits."""


@attrs.frozen
class Quota:
    """Limits, or what is used."""

    count: int = -1
    """Number of znodes, the top one among them; -1: no limit. Going over is logged."""
    size: int = -1
    """Bytes of data; -1: no limit. Going over is logged."""
    count_hard: int = -1
    """The same as `count`, where going over is refused."""
    size_hard: int = -1
    """The same as `size`, where going over is refused."""

    @classmethod
    def read(cls, data: bytes) -> "Quota":
        """Return what a znode holds; a missing limit is none."""
        found = {name: int(text) for name, text in re.findall(r"(\w+)=(-?\d+)", data.decode())}
        return cls(
            found.get("count", -1),
            found.get("bytes", -1),
            found.get("countHardLimit", -1),
            found.get("byteHardLimit", -1),
        )

    def record(self) -> dict[str, int]:
        """Return it for JSON, under the names of the znode's text."""
        return {
            "count": self.count,
            "bytes": self.size,
            "countHardLimit": self.count_hard,
            "byteHardLimit": self.size_hard,
        }

    def __str__(self) -> str:
        text = f"count={self.count},bytes={self.size}"
        hard = f"=;byteHardLimit={self.size_hard};countHardLimit={self.count_hard}"
        return text if self.size_hard == self.count_hard == -1 else text + hard


async def set_quota(shell: Shell, given: Given) -> None:
    """Limit the number of znodes, or their bytes, below and at a znode."""
    option, text = _only(given)
    path = given.words[0]
    limit = whole(text, "a limit")
    zk = await shell.zk()
    if path == ROOT or path.startswith(f"{ROOT}/") or path == "/":
        raise UsageError(f"{path} cannot have a quota")
    if await zk.exists(path) is None:
        raise NoNode(path)
    await _check_neighbours(zk, path)
    await zk.ensure_path(ROOT + path)
    name = f"{ROOT}{path}/{LIMITS}"
    try:
        quota = attrs.evolve(Quota(), **{FIELDS[option]: limit})
        await zk.create(name, str(quota).encode())
        await zk.create(f"{ROOT}{path}/{USED}", str(Quota(0, 0)).encode())
    except NodeExists:
        old = Quota.read((await zk.get(name)).data)
        quota = attrs.evolve(old, **{FIELDS[option]: limit})
        await zk.set(name, str(quota).encode())
    shell.output.show({"path": path, "quota": quota.record()}, [])


async def list_quota(shell: Shell, given: Given) -> None:
    """Show the limits of a znode, and what is used."""
    path = given.words[0]
    zk = await shell.zk()
    if await zk.exists(path) is None:
        raise NoNode(path)
    try:
        limits = Quota.read((await zk.get(f"{ROOT}{path}/{LIMITS}")).data)
        used = Quota.read((await zk.get(f"{ROOT}{path}/{USED}")).data)
    except NoNode:
        shell.output.show(
            {"path": path, "quota": None, "used": None}, [f"quota for {path} does not exist."]
        )
        return
    shell.output.show(
        {"path": path, "quota": limits.record(), "used": used.record()},
        [f"Output quota for {path} {limits}", f"Output stat for {path} {used}"],
    )


async def delete_quota(shell: Shell, given: Given) -> None:
    """Take a limit away, or all of them."""
    path = given.words[0]
    zk = await shell.zk()
    name = f"{ROOT}{path}/{LIMITS}"
    if await zk.exists(name) is None:
        raise UsageError(f"quota for {path} does not exist")
    if given.flags:
        old = Quota.read((await zk.get(name)).data)
        new = attrs.evolve(old, **{FIELDS[each]: -1 for each in sorted(given.flags)})
        await zk.set(name, str(new).encode())
    else:
        await zk.delete(name)
        with suppress(NoNode):
            await zk.delete(f"{ROOT}{path}/{USED}")
        await _trim(zk, ROOT + path)
    shell.output.show({"path": path}, [])


async def _trim(zk: Client, path: str) -> None:
    """Delete what now holds nothing, upwards."""
    while path != ROOT:
        try:
            await zk.delete(path)
        except (NotEmpty, NoNode):
            return
        path = path.rpartition("/")[0]


async def _check_neighbours(zk: Client, path: str) -> None:
    parts = path.split("/")
    above = ["/".join(parts[:end]) for end in range(2, len(parts))]
    for each in above:
        if await zk.exists(f"{ROOT}{each}/{LIMITS}") is not None:
            raise UsageError(f"{path} has a parent {each} which has a quota")
    with suppress(NoNode):
        async for each in descendants(zk, ROOT + path):
            owner, _slash, name = each.rpartition("/")
            if name == LIMITS and owner != ROOT + path:
                raise UsageError(f"{path} has a child {owner[len(ROOT) :]} which has a quota")


def _only(given: Given) -> tuple[str, str]:
    if len(given.values) != 1:
        raise UsageError("write: setquota -n|-b|-N|-B VALUE PATH")
    return next(iter(given.values.items()))
