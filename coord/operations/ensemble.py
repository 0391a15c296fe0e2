"""What concerns the ensemble: sync, ping, reconfig, and the text of /zookeeper/config."""

from coord.consensus.configuration import Configuration, MemberRole
from coord.operations.context import Caller, View
from coord.operations.frames import BODY_AT, decoded, text_of
from coord.wire.errors import ReconfigDisabled
from coord.wire.requests import ReconfigRequest


def sync(_view: View, _caller: Caller, _needs: int, frame: bytes) -> bytes:
    """Answer with the path, whatever it is; the barrier was the replica's to pass before."""
    path = text_of(frame)
    return frame[BODY_AT : BODY_AT + 4 + len(path or b"")]


def ping(_view: View, _caller: Caller, _needs: int, _frame: bytes) -> bytes:
    """Answer with the header only; whether to answer at all is the replica's to decide."""
    return b""


def reconfig(_view: View, _caller: Caller, _needs: int, frame: bytes) -> bytes:
    """Refuse, as ZooKeeper does unless it is told otherwise."""
    decoded(ReconfigRequest, frame)
    raise ReconfigDisabled


def configuration_text(configuration: Configuration, version: int) -> bytes:
    """Return the contents of /zookeeper/config: where clients find the servers."""
    lines = []
    for member in configuration.members:
        role = "observer" if member.role == MemberRole.OBSERVER else "participant"
        # One port serves election and replication here; ZooKeeper's form names two.
        port = member.peer_address.rpartition(":")[2]
        server = f"{member.peer_address}:{port}:{role};{member.client_address}"
        lines.append(f"server.{member.id}={server}\n")
    return ("".join(lines) + f"version={version:x}").encode()
