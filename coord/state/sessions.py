"""The replicated sessions: who they are, how long they live, where they are attached.

A session's *attachment* counts how often it was attached, new or resumed. Every write names the
attachment it was made under, so a connection that was overtaken by a newer one can do no more.
"""

import hmac
from collections.abc import Iterator
from struct import Struct
from typing import Final

import attrs

from coord.state import rows
from coord.state.record import CHECKSUM
from coord.state.store import Listing, Table
from coord.state.tree import Tree
from coord.wire.errors import SessionExpired

PASSWORD_SIZE: Final = 16

_SESSION_ID: Final = Struct(">q")
_VALUE: Final = Struct(">Ii")
"""attachment, timeout_ms"""


@attrs.frozen
class Session:
    """What is known of a session that lives."""

    attachment: int
    """How often it was attached, from 1."""
    timeout_ms: int
    """How long it outlives the last sign of its client; negotiated."""


def password_of(password_key: bytes, session_id: int) -> bytes:
    """Return what resumes a session; only who has the key can tell."""
    return hmac.digest(password_key, _SESSION_ID.pack(session_id), "sha256")[:PASSWORD_SIZE]


def path_in(row: bytes) -> bytes:
    """Return the path in a row of EPHEMERALS, which stands behind the checksum."""
    return row[CHECKSUM.size :]


class Sessions:
    """The table SESSIONS, and a copy of it in memory: every write looks into it.

    The copy is bounded as the sessions are: by the connections that the replicas admit.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.attachments: dict[int, int] = {}
        """Session id -> current attachment."""
        self._timeouts_ms: dict[int, int] = {}
        for key, value in tree.store.rows(Table.SESSIONS):
            session_id = rows.session_id_of(key)
            self.attachments[session_id], self._timeouts_ms[session_id] = _VALUE.unpack(value[4:])

    def __len__(self) -> int:
        return len(self.attachments)

    def __iter__(self) -> Iterator[int]:
        return iter(self.attachments)

    def get(self, session_id: int) -> Session | None:
        """Return a session, or None when it is closed, expired or never was."""
        attachment = self.attachments.get(session_id)
        if attachment is None:
            return None
        return Session(attachment, self._timeouts_ms[session_id])

    def open(self, timeout_ms: int) -> int:
        """Begin a session, attached for the first time; return its id."""
        self._tree.last_session += 1
        session_id = self._tree.last_session
        self._put(session_id, 1, timeout_ms)
        return session_id

    def resume(self, session_id: int, timeout_ms: int) -> int:
        """Attach a session once more; return the attachment. Raises SessionExpired."""
        attachment = self.attachments.get(session_id)
        if attachment is None:
            raise SessionExpired
        self._put(session_id, attachment + 1, timeout_ms)
        return attachment + 1

    def end(self, session_id: int) -> list[bytes]:
        """Forget a session that lives; return the paths of its ephemeral nodes, sorted."""
        del self.attachments[session_id]
        del self._timeouts_ms[session_id]
        self._tree.delete_row(Table.SESSIONS, rows.session_key(session_id))
        return self.ephemerals(session_id)

    def ephemerals(self, session_id: int) -> list[bytes]:
        """Return the paths of the ephemeral nodes of a session, sorted."""
        found = self._tree.store.rows(Table.EPHEMERALS, rows.session_key(session_id))
        return sorted(path_in(value) for _, value in found)

    def ephemeral_listing(self, session_id: int) -> Listing:
        """Return the rows of a session's ephemeral nodes, which `path_in` reads, over time."""
        return self._tree.store.row_listing(Table.EPHEMERALS, rows.session_key(session_id))

    def _put(self, session_id: int, attachment: int, timeout_ms: int) -> None:
        self.attachments[session_id] = attachment
        self._timeouts_ms[session_id] = timeout_ms
        key = rows.session_key(session_id)
        self._tree.put_row(Table.SESSIONS, key, _VALUE.pack(attachment, timeout_ms))
