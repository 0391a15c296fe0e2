"""The table: one row per op code. All that depends on the kind of a request is derived from it.

To add an operation: its request and reply in `coord.wire.requests`, a line in
`coord.wire.opcodes.EXCHANGES`, a function in one of the modules beside this one, and a row here.
"""

from enum import Enum
from typing import Final

from coord.operations import (
    acls,
    ensemble,
    multi,
    nodes,
    queries,
    sessions,
    spans,
    watching,
)
from coord.operations.internal import Internal
from coord.operations.row import NOTHING, Answer, Apply, Read, Refused, Row, Span, Write
from coord.wire.numbers import OpCode, Permission

READ, WRITE, CREATE, DELETE, ADMIN = (
    Permission.READ,
    Permission.WRITE,
    Permission.CREATE,
    Permission.DELETE,
    Permission.ADMIN,
)

IN_MULTI: Final = (
    Write(OpCode.CREATE, CREATE, spans.create, nodes.create, takes_room=True),
    Write(OpCode.CREATE2, CREATE, spans.create, nodes.create2, takes_room=True),
    Write(OpCode.CREATE_CONTAINER, CREATE, spans.create, nodes.create_container, takes_room=True),
    Write(OpCode.CREATE_TTL, CREATE, spans.create_ttl, nodes.create_ttl, takes_room=True),
    Write(OpCode.DELETE, DELETE, spans.path_and_version, nodes.delete),
    Write(OpCode.SET_DATA, WRITE, spans.path_data_and_version, nodes.set_data, takes_room=True),
    Write(OpCode.CHECK, READ, spans.path_and_version, nodes.check, is_public=False),
)

IN_MULTI_READ: Final = (
    Read(OpCode.GET_DATA, READ, queries.get_data),
    Read(OpCode.GET_CHILDREN, READ, queries.get_children),
)

ROWS: Final[tuple[Row, ...]] = (
    *IN_MULTI,
    Write(OpCode.MULTI, NOTHING, multi.spanning(IN_MULTI), multi.applying(IN_MULTI)),
    Write(OpCode.SET_ACL, ADMIN, spans.path_acl_and_version, nodes.set_acl, takes_room=True),
    Write(OpCode.CLOSE_SESSION, NOTHING, spans.empty, sessions.close_session),
    Write(Internal.ATTACH, NOTHING, spans.empty, sessions.attach, is_public=False),
    Write(Internal.EXPIRE, NOTHING, spans.empty, sessions.expire, is_public=False),
    Write(Internal.REAP, NOTHING, spans.empty, nodes.reap, is_public=False),
    *IN_MULTI_READ,
    Read(OpCode.MULTI_READ, NOTHING, multi.answering(IN_MULTI_READ)),
    Read(OpCode.EXISTS, READ, queries.exists),
    Read(OpCode.GET_CHILDREN2, READ, queries.get_children2),
    Read(OpCode.GET_ALL_CHILDREN_NUMBER, READ, queries.get_all_children_number),
    Read(OpCode.GET_EPHEMERALS, NOTHING, queries.get_ephemerals),
    Read(OpCode.GET_ACL, READ | ADMIN, acls.get_acl),
    Read(OpCode.AUTH, NOTHING, acls.auth),
    Read(OpCode.SASL, NOTHING, acls.sasl),
    Read(OpCode.WHO_AM_I, NOTHING, acls.who_am_i),
    Read(OpCode.SET_WATCHES, NOTHING, watching.set_watches),
    Read(OpCode.SET_WATCHES2, NOTHING, watching.set_watches2),
    Read(OpCode.ADD_WATCH, NOTHING, watching.add_watch),
    Read(OpCode.CHECK_WATCHES, NOTHING, watching.check_watches),
    Read(OpCode.REMOVE_WATCHES, NOTHING, watching.remove_watches),
    Read(OpCode.SYNC, NOTHING, ensemble.sync),
    Read(OpCode.PING, NOTHING, ensemble.ping),
    Read(OpCode.RECONFIG, NOTHING, ensemble.reconfig),
    Refused(OpCode.NOTIFICATION, "goes from server to client"),
    Refused(OpCode.ERROR, "the type of a result"),
    Refused(OpCode.DELETE_CONTAINER, "between ZooKeeper's servers; here Internal.REAP"),
    Refused(OpCode.CREATE_SESSION, "between ZooKeeper's servers; here Internal.ATTACH"),
)


class Kind(Enum):
    """What is to be done with a request of some op code."""

    READ = "answered by the replica that it came to"
    WRITE = "proposed, then applied by all"
    REFUSED = "answered with Unimplemented, then the connection is closed"


KINDS: Final[dict[int, Kind]] = {
    row.opcode: Kind.READ if isinstance(row, Read) else Kind.WRITE
    for row in ROWS
    if isinstance(row, Read) or (isinstance(row, Write) and row.is_public)
}
"""What a client may ask for; every other op code is refused."""

ANSWERS: Final[dict[int, tuple[Answer, int]]] = {
    row.opcode: (row.answer, int(row.needs)) for row in ROWS if isinstance(row, Read)
}

SPANS: Final[dict[int, Span]] = {
    row.opcode: row.span for row in ROWS if isinstance(row, Write) and row.is_public
}

APPLIES: Final[dict[int, tuple[Apply, int]]] = {
    row.opcode: (row.apply, int(row.needs)) for row in ROWS if isinstance(row, Write)
}

TAKE_ROOM: Final = frozenset(
    row.opcode for row in ROWS if isinstance(row, Write) and row.takes_room
)

_opcodes_in_multi = multi.listing(IN_MULTI)

NEED_NO_SESSION: Final = frozenset(Internal)
"""The writes that a replica proposes in its own name, under no session."""


def kind_of(opcode: int) -> Kind:
    """Return what is to be done with a client's request."""
    return KINDS.get(opcode, Kind.REFUSED)


def takes_room(opcode: int, frame: bytes) -> bool:
    """Tell whether a write of a client, whose shape was checked, may need more of the disk."""
    if opcode == OpCode.MULTI:
        return not TAKE_ROOM.isdisjoint(_opcodes_in_multi(frame))
    return opcode in TAKE_ROOM
