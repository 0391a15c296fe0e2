"""What clients ask for: small trees, many collisions."""

import random
from typing import Any

from coord.wire.multi import MultiOperation, MultiRequest
from coord.wire.numbers import CreateFlag, OpCode
from coord.wire.records import Acl, Id
from coord.wire.requests import (
    CheckRequest,
    CreateRequest,
    DeleteRequest,
    ExistsRequest,
    GetChildren2Request,
    GetDataRequest,
    SetDataRequest,
    SyncRequest,
)

OPEN = (Acl(31, Id("world", "anyone")),)
PARENTS = ("/a", "/b", "/c")
CONTAINER = "/k"
ONLY_CHILD = "/k/0"
LOCK = "/lock"
FLAGS = (
    CreateFlag.PERSISTENT,
    CreateFlag.PERSISTENT,
    CreateFlag.EPHEMERAL,
    CreateFlag.PERSISTENT_SEQUENTIAL,
    CreateFlag.EPHEMERAL_SEQUENTIAL,
)

Draw = tuple[OpCode, Any]


class Workload:
    """Draws the requests of all clients."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._written = 0
        self._drawers = (
            (self._create, 22),
            (self._set, 22),
            (self._delete, 10),
            (self._multi, 8),
            (self._container, 2),
            (self._get, 14),
            (self._exists, 8),
            (self._children, 8),
            (self._sync, 6),
        )
        self._kinds = [drawer for drawer, weight in self._drawers for _ in range(weight)]

    def draw(self) -> Draw:
        """The next request: op code and body."""
        return self._random.choice(self._kinds)()

    def lock(self) -> Draw:
        """Take the lock, if it is free."""
        return OpCode.CREATE, CreateRequest(LOCK, self._data(), OPEN, CreateFlag.EPHEMERAL)

    def unlock(self) -> Draw:
        """Give it back."""
        return OpCode.DELETE, DeleteRequest(LOCK, -1)

    def _data(self) -> bytes:
        self._written += 1
        size = 300 if self._random.random() < 0.02 else 0
        return b"%d" % self._written + bytes(size)

    def _path(self) -> str:
        if self._random.random() < 0.15:
            return ONLY_CHILD
        parent = self._random.choice(PARENTS)
        return parent if self._random.random() < 0.2 else f"{parent}/{self._random.randrange(4)}"

    def _version(self) -> int:
        return -1 if self._random.random() < 0.7 else self._random.randrange(4)

    def _create(self) -> Draw:
        opcode = self._random.choice((OpCode.CREATE, OpCode.CREATE2))
        path, flags = self._path(), self._random.choice(FLAGS)
        if path in PARENTS or path == ONLY_CHILD:
            flags = CreateFlag.PERSISTENT
        return opcode, CreateRequest(path, self._data(), OPEN, flags)

    def _container(self) -> Draw:
        path = CONTAINER if self._random.random() < 0.7 else self._path()
        record = CreateRequest(path, self._data(), OPEN, CreateFlag.CONTAINER)
        return OpCode.CREATE_CONTAINER, record

    def _set(self) -> Draw:
        return OpCode.SET_DATA, SetDataRequest(self._path(), self._data(), self._version())

    def _delete(self) -> Draw:
        return OpCode.DELETE, DeleteRequest(self._path(), self._version())

    def _check(self) -> Draw:
        return OpCode.CHECK, CheckRequest(self._path(), self._version())

    def _multi(self) -> Draw:
        drawers = (self._create, self._set, self._delete, self._check)
        parts = [self._random.choice(drawers)() for _ in range(self._random.randint(1, 3))]
        return OpCode.MULTI, MultiRequest(tuple(MultiOperation(*part) for part in parts))

    def _watch(self) -> bool:
        return self._random.random() < 0.4

    def _get(self) -> Draw:
        return OpCode.GET_DATA, GetDataRequest(self._path(), self._watch())

    def _exists(self) -> Draw:
        return OpCode.EXISTS, ExistsRequest(self._path(), self._watch())

    def _children(self) -> Draw:
        path = self._random.choice(PARENTS)
        return OpCode.GET_CHILDREN2, GetChildren2Request(path, self._watch())

    def _sync(self) -> Draw:
        return OpCode.SYNC, SyncRequest("/")
