"""Commands on znodes: create, read, change, list, delete."""

from typing import Final

from client import NoNode, NotEmpty
from coord.cli.shell.acls import parse_acl
from coord.cli.shell.row import Given, UsageError, whole
from coord.cli.shell.shell import Shell
from coord.cli.shell.subtree import descendants
from coord.cli.znode import data_record, record, stat_record, stat_text

BATCH: Final = 1000
"""Deletes in one transaction, as zkCli.sh has it."""


async def create(shell: Shell, given: Given) -> None:
    """Create a znode; show the path it got."""
    path, data, acl = (*given.words, "", "")[:3]
    flags = given.flags
    if "c" in flags and flags & {"e", "s"}:
        raise UsageError("a container is neither ephemeral nor sequential: -c goes without -s, -e")
    if "t" in given.values and flags & {"c", "e"}:
        raise UsageError(
            "what has a ttl is neither ephemeral nor a container: -t goes without both"
        )
    ttl_ms = given.number("t", -1) if "t" in given.values else None
    zk = await shell.zk()
    created = await zk.create(
        path,
        data.encode(),
        parse_acl(acl) if acl else None,
        ephemeral="e" in flags,
        sequence="s" in flags,
        container="c" in flags,
        ttl=None if ttl_ms is None else ttl_ms / 1000,
        makepath="p" in flags,
    )
    shell.output.show({"path": created}, [created])


async def get(shell: Shell, given: Given) -> None:
    """Show data, with -s the Stat; with -w the next change."""
    path = given.words[0]
    zk = await shell.zk()
    if "w" in given.flags:
        found = await shell.watches.read(zk, path)
        if found is None:
            raise NoNode(path)
    else:
        found = await zk.get(path)
    value = {"path": path, **data_record(found.data), "stat": stat_record(found.stat)}
    shell.output.show(value, [found.data, *(stat_text(found.stat) if "s" in given.flags else ())])


async def set_data(shell: Shell, given: Given) -> None:
    """Replace the data of a znode."""
    path, data = given.words[:2]
    version = given.number("v", -1)
    if len(given.words) > 2:
        version = whole(given.words[2])
    stat = await (await shell.zk()).set(path, data.encode(), version)
    shell.output.show(
        {"path": path, "stat": stat_record(stat)}, stat_text(stat) if "s" in given.flags else ()
    )


async def stat(shell: Shell, given: Given) -> None:
    """Show a Stat; with -w the next change, also where there is no such znode."""
    path = given.words[0]
    zk = await shell.zk()
    if "w" in given.flags:
        state = await shell.watches.read(zk, path, or_creation=True)
        found = None if state is None else state.stat
    else:
        found = await zk.exists(path)
    if found is None:
        raise NoNode(path)
    shell.output.show({"path": path, "stat": stat_record(found)}, stat_text(found))


async def ls(shell: Shell, given: Given) -> None:
    """List children, or all below; with -s the Stat, with -w the next change."""
    path = given.words[0] if given.words else "/"
    zk = await shell.zk()
    if "R" in given.flags:
        paths = [each async for each in descendants(zk, path)]
        shell.output.show(paths, paths)
        return
    if "w" in given.flags:
        watched = await shell.watches.read_children(zk, path)
        if watched is None:
            raise NoNode(path)
        names = watched
    else:
        names = sorted(await zk.get_children(path))
    if "s" not in given.flags:
        shell.output.show(names, names)
        return
    found = await zk.exists(path)
    if found is None:
        raise NoNode(path)
    shell.output.show(
        {"path": path, "children": names, "stat": stat_record(found)}, [*names, *stat_text(found)]
    )


async def delete(shell: Shell, given: Given) -> None:
    """Delete a znode, with -r all below it too."""
    version = given.number("v", -1)
    if len(given.words) > 1:
        version = whole(given.words[1])
    zk = await shell.zk()
    await zk.delete(given.words[0], version, recursive="r" in given.flags)
    shell.output.show({"deleted": given.words[0]}, [])


async def delete_all(shell: Shell, given: Given) -> None:
    """Delete a znode and all below it, many in one transaction."""
    root = given.words[0]
    batch = given.number("b", BATCH)
    if batch < 1:
        raise UsageError("a batch holds at least one znode")
    zk = await shell.zk()
    paths = [each async for each in descendants(zk, root)]
    paths.reverse()  # children before their parents
    for first in range(0, len(paths), batch):
        transaction = zk.transaction()
        for path in paths[first : first + batch]:
            transaction.delete(path)
        try:
            await transaction.commit()
        except (NoNode, NotEmpty):
            break  # others are at work in the same tree: one by one
    else:
        shell.output.show({"deleted": root}, [])
        return
    await zk.delete(root, recursive=True)
    shell.output.show({"deleted": root}, [])


async def get_all_children_number(shell: Shell, given: Given) -> None:
    """Count all below a znode."""
    count = await (await shell.zk()).get_all_children_number(given.words[0])
    shell.output.show(count, [str(count)])


async def get_ephemerals(shell: Shell, given: Given) -> None:
    """List the ephemeral znodes of this session."""
    prefix = given.words[0] if given.words else "/"
    paths = await (await shell.zk()).get_ephemerals(prefix)
    shell.output.show(paths, paths)


async def sync(shell: Shell, given: Given) -> None:
    """Wait until the server has all that was written before."""
    path = await (await shell.zk()).sync(given.words[0] if given.words else "/")
    shell.output.show({"synced": path}, ["Sync is OK"])


async def watch(shell: Shell, given: Given) -> None:
    """Show the data at once and after each change, until interrupted."""
    path = given.words[0]
    zk = await shell.zk()
    async for state in zk.watch(path):
        text = b"(no such znode)" if state is None else state.data
        shell.output.show(record(path, state), [text])
