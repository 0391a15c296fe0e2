"""Who the members of a group are, as everybody can see it.

Znodes: those of `client.recipes.membership`: each child of the group is a member, its data what it
says of itself. Rules: a state is that of one moment; those that come faster than they are consumed
melt into one, and the latest is always given. Limits: as those of `watch_tree`, so a group may be
large, but every client that looks holds all of it in memory.
"""

from client.calls import Calls
from client.watches import Iteration, TreeWatch


class Members(Iteration[dict[str, bytes]]):
    """The members of a group: name and data of each, the first at once, then after each change.

    async for members in zk.members("/workers"):
        print(sorted(members))
    """

    def __init__(self, calls: Calls, path: str) -> None:
        self._states = TreeWatch(calls, path)
        self._last: dict[str, bytes] | None = None
        super().__init__()

    async def _next(self) -> dict[str, bytes]:
        while True:
            tree = await anext(self._states)
            members = {name: tree[f"/{name}"].data for name in tree.children()}
            if members != self._last:
                self._last = members
                return dict(members)

    def _leave(self) -> None:
        self._states.stop()
