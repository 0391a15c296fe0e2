"""All that lies below a znode."""

from collections.abc import AsyncIterator

from client import Client, NoNode


async def descendants(zk: Client, root: str) -> AsyncIterator[str]:
    """Yield the paths of a znode and of all below it, parents first, brothers by name.

    What goes meanwhile is passed over; raises NoNode when the root is not there.
    """
    waiting = [root]
    while waiting:
        path = waiting.pop()
        try:
            names = sorted(await zk.get_children(path), reverse=True)
        except NoNode:
            if path == root:
                raise
            continue
        yield path
        waiting.extend(f"{path.rstrip('/')}/{name}" for name in names)
