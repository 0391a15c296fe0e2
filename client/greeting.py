"""The first words on a connection: which session it shall have."""

from client.config import ClientConfig
from client.deadline import Clock, Proofs
from client.link import Link, LinkLost
from client.session import Session
from coord.wire.records import ConnectRequest, ConnectResponse


async def attach(
    link: Link, session: Session | None, config: ClientConfig, clock: Clock
) -> Session | None:
    """Ask for a session that lives, or for a new one; return it. None: it has ended.

    Raise LinkLost where the server has none to give.
    """
    if session is not None and session.ended is not None:
        session = None
    sent_at = clock()
    response = await link.greet(_request(link, session, config))
    gives = response.timeout_ms > 0
    if session is None:
        if not gives:
            raise LinkLost("the server gives no session")
        return _session(response, sent_at)
    if not gives or response.session_id != session.id:
        # Also where the server gives a new session without a word: nobody must go on in it
        # believing that it is the old one.
        session.end("the server has expired the session")
        return None
    session.proofs.timeout = response.timeout_ms / 1000
    session.proofs.add(sent_at, ordered=True)
    return session


async def attach_read_only(link: Link, config: ClientConfig, clock: Clock) -> Session:
    """Ask a server that has lost its ensemble for a session of its own.

    Raise LinkLost where it is no such server: then it can give a better one.
    """
    sent_at = clock()
    response = await link.greet(_request(link, None, config, read_only=True))
    if response.timeout_ms <= 0 or not response.read_only:
        raise LinkLost("the server is not read-only")
    return _session(response, sent_at)


def _request(
    link: Link, session: Session | None, config: ClientConfig, *, read_only: bool = False
) -> ConnectRequest:
    return ConnectRequest(
        protocol_version=0,
        last_zxid_seen=link.zxid,
        timeout_ms=round(config.session_timeout * 1000),
        session_id=0 if session is None else session.id,
        password=bytes(16) if session is None else session.password,
        read_only=read_only,
    )


def _session(response: ConnectResponse, sent_at: float) -> Session:
    proofs = Proofs(response.timeout_ms / 1000, heard=sent_at, ordered=sent_at)
    return Session(response.session_id, response.password or b"", proofs)
