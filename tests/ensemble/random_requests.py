"""Random requests of two clients from one seed, the same for every server they are sent to."""

import random
from collections.abc import Callable, Sequence

import attrs

from tests.ensemble import frames
from tests.ensemble.frames import boolean, buffer, int32, int64, text, vector

ROOT = "/differential"
NAMES = ("a", "b", "c", "s0000000001", "s-0000000002")
ODD_PATHS = ("", "a", "/", ROOT + "//a", ROOT + "/a/", ROOT + "/./a", ROOT + "/\x01", ROOT + "/é")

CLOSE, RESUME = 0, -1
"""Steps that are no requests: end the session and begin another; reconnect."""

OPERATIONS = """
    CREATE DELETE EXISTS GET_DATA SET_DATA GET_ACL SET_ACL GET_CHILDREN SYNC PING GET_CHILDREN2
    CHECK MULTI CREATE2 REMOVE_WATCHES CREATE_CONTAINER MULTI_READ AUTH SET_WATCHES
    GET_EPHEMERALS GET_ALL_CHILDREN_NUMBER ADD_WATCH WHO_AM_I
"""
CODE_NAMES = {getattr(frames, name): name for name in OPERATIONS.split()}


@attrs.frozen
class Step:
    """One request, the same for both sides."""

    client: int
    """Which of the two clients."""
    code: int
    """The operation; 0 and below stand for a change of the connection."""
    content: bytes = b""
    """The body; of setWatches the three lists."""
    share: float | None = None
    """For setWatches: which of the zxids that the side has seen goes before the lists."""

    def body(self, zxids: Sequence[int]) -> bytes:
        """The body for a side that has seen these zxids."""
        if self.share is None:
            return self.content
        return int64(zxids[int(self.share * len(zxids))]) + self.content

    def describe(self) -> str:
        """For the reader of a difference."""
        return f"client {self.client} {CODE_NAMES.get(self.code, self.code)} {self.content!r}"


class Requests:
    """Random steps from one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def step(self) -> Step:
        """The next request; now and then one that ends too early."""
        step = self._whole_step()
        if step.content and step.code != frames.AUTH and self.chance.random() < 0.03:
            # ZooKeeper closes the connection on a malformed auth packet.
            return attrs.evolve(step, content=step.content[: self.chance.randrange(100)])
        return step

    def _whole_step(self) -> Step:
        client = self.chance.randrange(2)
        roll = self.chance.random()
        if roll < 0.01:
            return Step(client, self.chance.choice((CLOSE, RESUME)))
        if roll < 0.02:
            return self._set_watches()
        if roll < 0.10:
            return Step(client, *self._multi())
        if roll < 0.12:
            reads = [self._read_operation() for _ in range(self.chance.randrange(4))]
            return Step(client, frames.MULTI_READ, frames.multi_body(reads))
        return Step(client, *self.chance.choice(self._MAKERS)(self, client))

    @staticmethod
    def root() -> bytes:
        """The body of the first create of all."""
        return frames.create_body(ROOT, b"", 0)

    @staticmethod
    def inspection() -> list[Step]:
        """Reads of every node that can exist, to compare the whole of two trees."""
        paths = [ROOT]
        for path in paths:
            if path.count("/") < 4:
                paths += [f"{path}/{name}" for name in NAMES]
        steps = []
        for path in paths:
            steps += [
                Step(0, code, text(path) + boolean(False))
                for code in (frames.GET_DATA, frames.GET_CHILDREN2)
            ]
            steps.append(Step(1, frames.GET_ACL, text(path)))
        return steps

    def _path(self) -> str:
        if self.chance.random() < 0.04:
            return self.chance.choice(ODD_PATHS)
        depth = self.chance.choice((1, 1, 2, 2, 3))
        return ROOT + "".join("/" + self.chance.choice(NAMES) for _ in range(depth))

    def _watchable(self) -> str:
        return ROOT + "/" + self.chance.choice(NAMES)

    def _data(self) -> bytes | None:
        return self.chance.choice((None, b"", b"x", b"\0" * 40, b"data" * 25))

    def _version(self) -> int:
        return self.chance.choice((-1, -1, -1, 0, 1, 2, 7, -2))

    def _acl(self) -> bytes:
        open_entry = frames.entry(frames.ALL, "world", "anyone")
        return self.chance.choice(
            (
                *[frames.OPEN] * 12,
                vector([open_entry, open_entry]),
                vector([open_entry, frames.entry(5, "digest", "ann:hash")]),
                vector([open_entry, frames.entry(99, "ip", "10.0.0.0/8")]),
                vector([open_entry, frames.entry(31, "auth", "")]),
                vector([]),
                vector(None),
                vector([frames.entry(1, "world", "somebody")]),
                vector([frames.entry(1, "digest", "no-colon")]),
                vector([frames.entry(1, "ip", "no address")]),
            )
        )

    def _create(self, _client: int) -> tuple[int, bytes]:
        code = self.chance.choice((frames.CREATE, frames.CREATE2))
        if self.chance.random() < 0.1:
            # A name that gets no children: when a used container is reaped is up to the server.
            path = self._path().rpartition("/")[0] + "/container"
            body = frames.create_body(path, self._data(), frames.CONTAINER, self._acl())
            return frames.CREATE_CONTAINER, body
        flags = self.chance.choice((0, 0, 0, 1, 2, 2, 3, 4, 9))
        path = self._path()
        if flags in (frames.SEQUENTIAL, frames.EPHEMERAL_SEQUENTIAL):
            path = path.rpartition("/")[0] + self.chance.choice(("/s", "/s-", "/"))
        return code, frames.create_body(path, self._data(), flags, self._acl())

    def _delete(self, _client: int) -> tuple[int, bytes]:
        return frames.DELETE, text(self._path()) + int32(self._version())

    def _set(self, _client: int) -> tuple[int, bytes]:
        body = text(self._path()) + buffer(self._data()) + int32(self._version())
        return frames.SET_DATA, body

    def _set_acl(self, _client: int) -> tuple[int, bytes]:
        return frames.SET_ACL, text(self._path()) + self._acl() + int32(self._version())

    def _read(self, client: int) -> tuple[int, bytes]:
        code = self.chance.choice(
            (frames.EXISTS, frames.GET_DATA, frames.GET_CHILDREN, frames.GET_CHILDREN2)
        )
        watch = client == 0 and self.chance.random() < 0.5
        return code, text(self._watchable() if watch else self._path()) + boolean(watch)

    def _read_by_path(self, _client: int) -> tuple[int, bytes]:
        code = self.chance.choice(
            (
                frames.GET_ACL,
                frames.SYNC,
                frames.GET_EPHEMERALS,
                frames.GET_ALL_CHILDREN_NUMBER,
            )
        )
        # Below "" ZooKeeper counts one node more than below "/".
        return code, text(self._path() or "/")

    def _bare(self, _client: int) -> tuple[int, bytes]:
        return self.chance.choice((frames.PING, frames.WHO_AM_I)), b""

    def _watch(self, client: int) -> tuple[int, bytes]:
        return self._remove_watch() if client == 0 else self._add_watch()

    def _add_watch(self) -> tuple[int, bytes]:
        path = self._watchable()
        # One mode for a path: before 3.9 a later mode replaced the earlier one.
        return frames.ADD_WATCH, text(path) + int32(len(path) % 2)

    def _remove_watch(self) -> tuple[int, bytes]:
        kind = self.chance.choice((1, 2, 3, 9))
        return frames.REMOVE_WATCHES, text(self._watchable()) + int32(kind)

    def _authenticate(self, _client: int) -> tuple[int, bytes]:
        name = self.chance.choice((b"ann:secret", b"bob:secret"))
        return frames.AUTH, int32(0) + text("digest") + buffer(name)

    def _multi(self) -> tuple[int, bytes]:
        operations = []
        for _ in range(self.chance.randrange(5)):
            check = frames.CHECK, text(self._path()) + int32(self._version())
            makers = (self._create, self._create, self._delete, self._set)
            operation = self.chance.choice(makers)(0)
            operations.append(self.chance.choice((check, operation, operation, operation)))
        if self.chance.random() < 0.05:
            operations.append(self._read_operation())
        # An unknown flag inside a multi fails the whole request since 3.9.
        operations = [o for o in operations if not o[1].endswith(int32(9))]
        return frames.MULTI, frames.multi_body(operations)

    def _read_operation(self) -> tuple[int, bytes]:
        code = self.chance.choice((frames.GET_DATA, frames.GET_CHILDREN))
        return code, text(self._path()) + boolean(False)

    def _set_watches(self) -> Step:
        lists = b"".join(
            vector(text(self._watchable()) for _ in range(self.chance.randrange(3)))
            for _ in range(3)
        )
        return Step(0, frames.SET_WATCHES, lists, self.chance.random())

    _MAKERS: tuple[Callable[["Requests", int], tuple[int, bytes]], ...] = (
        *[_create] * 6,
        *[_delete] * 3,
        *[_set] * 4,
        *[_read] * 6,
        *[_read_by_path] * 2,
        _set_acl,
        _bare,
        *[_watch] * 2,
        _authenticate,
    )
