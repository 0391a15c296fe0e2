"""How sessions begin, move and end."""

import hmac

from coord import jute
from coord.operations.context import Context
from coord.operations.internal import Attached, AttachRequest, ExpireRequest
from coord.operations.nodes import remove
from coord.state.sessions import password_of
from coord.wire.errors import SessionExpired


def attach(context: Context, _needs: int, body: bytes, at: int) -> bytes:
    """Begin a session, or take one over: the older connections of it can do no more."""
    request, _ = jute.decode(AttachRequest, body, at)
    sessions, key = context.sessions, context.settings.password_key
    if request.session_id == 0:
        session_id, attachment = sessions.open(request.timeout_ms), 1
    else:
        session_id = request.session_id
        # Checked before anything is done: a wrong password must not cut the living connection.
        if not hmac.compare_digest(password_of(key, session_id), request.password):
            raise SessionExpired
        attachment = sessions.resume(session_id, request.timeout_ms)
        context.audience.moved(session_id, attachment)
    password = password_of(key, session_id)
    return jute.encode(Attached(session_id, attachment, request.timeout_ms, password))


def close_session(context: Context, _needs: int, _body: bytes, _at: int) -> bytes:
    """End the session that asks for it."""
    _end(context, context.session_id)
    return b""


def expire(context: Context, _needs: int, body: bytes, at: int) -> bytes:
    """End a silent session, unless it was attached again before this was applied."""
    request, _ = jute.decode(ExpireRequest, body, at)
    if context.sessions.attachments.get(request.session_id) == request.attachment:
        _end(context, request.session_id)
    return b""


def _end(context: Context, session_id: int) -> None:
    """Forget a session and delete its ephemeral nodes."""
    for path in context.sessions.end(session_id):
        record = context.tree.store.get(path)
        assert record is not None, path
        remove(context, path, record)
    context.audience.ended(session_id)
