"""The client: operations, watches and recipes on one session."""

from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import attrs

from client.cache import Cache, open_cache
from client.codec import JSON, Codec
from client.errors import Away
from client.events import Event, Events, FilledEvents, Resynced
from client.instruments import State
from client.pending import PendingRequest
from client.recipes.config import ConfigWatch
from client.session import ExportedSession, Session
from client.sharing import Sharing
from client.typed import Typed
from client.watches import ChildrenWatch, Iteration, TreeWatch, Watch

T = TypeVar("T")


class Client(Sharing):
    """A client of an ensemble, for as long as the block of `connect` runs.

    async with connect("host:2181") as zk:
        path = await zk.create("/jobs/job-", b"resize 7", sequence=True)
        print(path, await zk.get(path))
    """

    @property
    def session(self) -> Session:
        """The session: another object after this one has expired.

            print(hex(zk.session.id), zk.session.timeout)

        Raises Away when there has been none yet, as only read-only servers were found.
        """
        session = self._calls.keeper.session
        if session is None:
            raise Away("there is no session yet")
        return session

    def export_session(self) -> ExportedSession:
        """Leave the session open at the end of the block; return what resumes it elsewhere.

            exported = zk.export_session()
            print(exported.id, exported.timeout, exported.zxid, len(exported.password))

        Its ephemeral znodes stay until it is resumed with `connect(..., session=exported)`, or has
        expired; what is held is given back with its block as ever. End this client's block before:
        two clients would take the session from each other. Raises Away as `session` does.
        """
        return self._calls.keeper.export(self.session)

    @property
    def state(self) -> State:
        """How the client stands to the servers: `if zk.state is State.READ_ONLY: ...`.

        if zk.state is not State.CONNECTED:
            print("what is read may be old, or waits")
        """
        return self._calls.keeper.state

    def pending(self) -> list[PendingRequest]:
        """Return the requests that have no outcome yet: those sent in their order, then the others.

            with trio.move_on_after(5) as patience:
                await zk.create("/jobs/8")
            if patience.cancelled_caught:
                log.warning("still waiting for %s", [str(each) for each in zk.pending()])

        What was cancelled after it was sent stays until its reply comes, for it may be carried out.
        """
        return [
            attrs.evolve(each, path=self._own(each.path)) for each in self._calls.keeper.pending()
        ]

    def watch(self, path: str) -> Watch:
        """Iterate over the states of a znode: `Znode`, or None while it is missing.

        async for znode in zk.watch("/app/settings"):
            print("gone" if znode is None else znode.data)
        """
        return Watch(self._calls, self._full(path))

    def watch_children(self, path: str) -> ChildrenWatch:
        """Iterate over the names of children, sorted, or None while the parent is missing.

        async for names in zk.watch_children("/jobs"):
            print(names or "nothing to do")
        """
        return ChildrenWatch(self._calls, self._full(path))

    def watch_tree(self, path: str) -> TreeWatch:
        """Iterate over the states of a subtree: `Tree`, empty while there is none.

            async for tree in zk.watch_tree("/app"):
                print(tree.zxid, dict(tree))

        Each is all of the subtree as it was at one moment. Raises NoAuth for a root that this
        client may not read; what it may not read below is left out.
        """
        return TreeWatch(self._calls, self._full(path))

    def cache(self, path: str) -> AbstractAsyncContextManager[Cache]:
        """Keep a subtree at hand while a block runs: a mapping of the paths below `path`.

            async with zk.cache("/services/web") as cache:
                hosts = [cache[f"/{name}"].data for name in cache.children()]

        The block begins when all has been read. Raises NoAuth as `watch_tree`.
        """
        return open_cache(self._calls, self._full(path), self._nursery)

    def events(
        self, path: str, *, recursive: bool = False, fill: bool = False
    ) -> Iteration[Event | Resynced]:
        """Iterate over each `Event` of a znode, or also of all below it, and over `Resynced`.

            async for event in zk.events("/app", recursive=True, fill=True):
                if isinstance(event, client.Event):
                    print(event.kind.name, event.path)

        With `fill`, the Stats of the znodes are held, and what changed within a gap makes synthetic
        events after `Resynced`. Raises Unimplemented with ZooKeeper before 3.6.
        """
        events = FilledEvents if fill else Events
        return events(self._calls, self._full(path), self._chroot, recursive=recursive)

    def config(self, path: str, cls: type[T], *, codec: Codec = JSON) -> ConfigWatch[T]:
        """Iterate over the states of a configuration: objects of a class, or `BadConfig`.

            async for settings in zk.config("/app/settings", Settings):
                if isinstance(settings, client.BadConfig):
                    log.warning("%s; going on as before", settings.problems)

        Bad or missing data are a value that says all that is wrong and keeps the last good one.
        """
        return ConfigWatch(self._calls, self._full(path), path, cls, codec)

    def typed(self, path: str, cls: type[T], *, codec: Codec = JSON) -> Typed[T]:
        """Return a znode as an object of a class, to get, create, update and watch.

            service = zk.typed("/services/web", Service)
            await service.update(lambda old: attrs.evolve(old, port=8080))

        `codec` says what the bytes are: JSON of attrs classes and plain types, if not another one.
        """
        full = self._full(path)
        return Typed(self, self._calls, full, path, cls, codec, self._lines)
