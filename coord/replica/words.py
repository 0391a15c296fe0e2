"""The four-letter words: how monitoring has always asked a ZooKeeper server.

Formats as in ZooKeeper's server/command/*.java, so that parsers of them go on working; what only
coord has stands in `mntr` under `zk_coord_…`.
"""

from collections.abc import Callable
from typing import Final

from coord.operations.slices import SLICE_NAMES, Slices
from coord.replica.status import ConnectionStatus, Status

VERSION: Final = "3.9.3-coord-0.1.0"
"""The protocol level in front: kazoo and others read major.minor.patch from it."""
BUILT_ON: Final = "2026-11-21 00:00 UTC"
NOT_SERVING: Final = "This ZooKeeper instance is not currently serving requests\n"


def answer(word: str, status: Status) -> bytes | Slices:
    """The text to send for a word, or what builds it; the connection is closed after it."""
    if word == "dump":
        return _dump(status)
    writer = WORDS.get(word)
    if writer is None:
        return f"{word} is not executed because it is not in the whitelist.\n".encode()
    return writer(status).encode()


def _ruok(_status: Status) -> str:
    return "imok"


def _isro(status: Status) -> str:
    if status.mode == "looking":
        return "null"
    return "ro" if status.mode == "read-only" else "rw"


def _srvr(status: Status) -> str:
    return _head(status) + _body(status)


def _stat(status: Status) -> str:
    if status.mode == "looking":
        return NOT_SERVING
    clients = "".join(f" {_brief(connection)}\n" for connection in status.connections)
    return f"{_head(status)}Clients:\n{clients}\n{_body(status)}"


def _head(status: Status) -> str:
    version = f"Zookeeper version: {VERSION}, built on {BUILT_ON}\n"
    if status.mode == "read-only":
        return f"{version}READ-ONLY mode; serving only read-only clients\n"
    return version


def _body(status: Status) -> str:
    if status.mode == "looking":
        return NOT_SERVING
    least, mean, greatest = status.latency_ms
    return (
        f"Latency min/avg/max: {least}/{_mean(mean)}/{greatest}\n"
        f"Received: {status.received}\n"
        f"Sent: {status.sent}\n"
        f"Connections: {len(status.connections)}\n"
        f"Outstanding: {status.outstanding}\n"
        f"Zxid: 0x{status.zxid:x}\n"
        f"Mode: {status.mode}\n"
        f"Node count: {status.node_count}\n"
    )


def _mean(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if value else "0"


def _brief(connection: ConnectionStatus) -> str:
    return (
        f"/{connection.address}[1](queued={connection.queued},recved={connection.received},"
        f"sent={connection.sent})"
    )


def _cons(status: Status) -> str:
    if status.mode == "looking":
        return NOT_SERVING
    lines = []
    for connection in status.connections:
        line = _brief(connection)
        if connection.session_id:
            line = (
                f"{line[:-1]},sid=0x{connection.session_id:x},lop={connection.last_opcode},"
                f"to={connection.timeout_ms})"
            )
        lines.append(f" {line}\n")
    return "".join(lines) + "\n"


def _conf(status: Status) -> str:
    return "".join(f"{key}={value}\n" for key, value in status.settings)


def _envi(status: Status) -> str:
    lines = [("zookeeper.version", f"{VERSION}, built on {BUILT_ON}"), *status.environment]
    return "Environment:\n" + "".join(f"{key}={value}\n" for key, value in lines)


def _wchs(status: Status) -> str:
    return (
        f"{status.watchers} connections watching {status.watched_paths} paths\n"
        f"Total watches:{status.watches}\n"
    )


def _dump(status: Status) -> Slices:
    """All sessions and ephemeral nodes: the one word whose answer grows with the tree."""
    known = status.sessions()
    owners: list[bytes] = []
    owning = last = looked_at = 0
    for session, paths in status.ephemerals():
        if paths:
            if session != last:
                owning, last = owning + 1, session
                owners.append(b"0x%x:\n" % session)
            owners.append(b"".join([b"\t%b\n" % path for path in paths]))
        looked_at += 1 + len(paths)
        if looked_at >= SLICE_NAMES:
            looked_at = 0
            yield
    sessions = "".join(f"\t0x{session:x}\t{timeout}ms\n" for session, timeout in known)
    attached = "".join(
        f"\t0x{connection.session_id:x}\t{connection.address}\n"
        for connection in status.connections
    )
    head = (
        f"SessionTracker dump:\nSessions ({len(known)}):\n{sessions}"
        f"ephemeral nodes dump:\nSessions with Ephemerals ({owning}):\n"
    )
    tail = f"Connections dump:\nConnections ({len(status.connections)}):\n{attached}"
    return [head.encode(), *owners, tail.encode()]


def figures(status: Status) -> list[tuple[str, str | int | float]]:
    """What monitoring asks for, under ZooKeeper's names; what only coord has is `coord_…`."""
    least, mean, greatest = status.latency_ms
    room, undecided = status.room, status.undecided
    rows: list[tuple[str, str | int | float]] = [
        ("version", f"{VERSION}, built on {BUILT_ON}"),
        ("server_state", status.mode),
        ("peer_state", status.mode),
        ("avg_latency", float(mean)),
        ("max_latency", greatest),
        ("min_latency", least),
        ("packets_received", status.received),
        ("packets_sent", status.sent),
        ("num_alive_connections", len(status.connections)),
        ("outstanding_requests", status.outstanding),
        ("uptime", status.uptime_ms),
        ("znode_count", status.node_count),
        ("watch_count", status.watches),
        ("ephemerals_count", status.ephemeral_count),
        ("approximate_data_size", status.data_bytes),
        ("global_sessions", status.session_count),
        ("log_syncs", status.log_syncs),
        ("coord_replica", status.replica_id),
        ("coord_serving", int(status.serving)),
        ("coord_epoch", status.epoch),
        ("coord_leader", status.leader),
        ("coord_zxid", status.zxid),
        ("coord_commit_index", status.commit_index),
        ("coord_applied_index", status.applied_index),
        ("coord_last_index", status.last_index),
        ("coord_voters", " ".join(map(str, undecided.voters))),
        ("coord_adopted_epoch", undecided.adopted_epoch),
        ("coord_durable_index", undecided.durable_index),
        ("coord_newest", " ".join(f"{index}:{epoch}" for index, epoch in undecided.newest)),
        ("coord_digest", f"{status.digest:016x}"),
        ("coord_ensemble", f"{status.ensemble & (1 << 64) - 1:016x}"),
        ("coord_quorums", status.quorums),
        ("coord_missing", status.missing),
        ("coord_disk_free_bytes", -1 if room.space is None else room.space.free_bytes),
        ("coord_disk_short", int(room.is_short)),
        ("coord_writes_refused", int(room.is_refused)),
    ]
    if status.mode in ("leader", "standalone"):
        rows += [
            ("synced_followers", sum(in_step for _peer, _index, in_step in status.peers)),
            ("learners", len(status.peers)),
            ("coord_majority_lag", status.majority_lag),
        ]
        rows += [(f"coord_peer_{peer}_index", index) for peer, index, _in_step in status.peers]
    rows += [(f"coord_warning_{place}", line) for place, line in enumerate(status.warnings, 1)]
    return rows


def _mntr(status: Status) -> str:
    return "".join(
        f"zk_{key}\t{_mean(value) if isinstance(value, float) else value}\n"
        for key, value in figures(status)
    )


WORDS: Final[dict[str, Callable[[Status], str]]] = {
    "ruok": _ruok,
    "srvr": _srvr,
    "stat": _stat,
    "mntr": _mntr,
    "conf": _conf,
    "envi": _envi,
    "isro": _isro,
    "cons": _cons,
    "wchs": _wchs,
}
