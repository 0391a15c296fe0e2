"""What a replica answers over HTTP: ZooKeeper's admin commands, metrics, health.

The commands have the names and fields of ZooKeeper's AdminServer (server/admin/Commands.java), as
far as there is something here that they can mean. `/metrics` has the names of its Prometheus
provider, and `coord_…` for what only coord has.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import attrs

from coord.operations.slices import SLICE_NAMES
from coord.replica.status import ConnectionStatus, Status
from coord.replica.words import BUILT_ON, VERSION, figures

JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_FULL_VERSION: Final = f"{VERSION}, built on {BUILT_ON}"
_COUNTERS: Final = frozenset({"packets_received", "packets_sent", "log_syncs", "uptime"})
_FLEETING: Final = frozenset({"coord_digest", "coord_newest"})
"""Texts that change with the log: as labels, each change would be a new time series."""


@attrs.frozen
class Page:
    """What goes out for one request."""

    status: int
    """HTTP status code."""
    content_type: str
    """Value of the header of that name."""
    body: bytes
    """The content."""


def page(path: str, status: Status) -> Page:
    """Answer a GET of this path, without its query."""
    if path.rstrip("/") == "/commands":
        links = "".join(f'<a href="/commands/{name}">{name}</a>\n<br/>\n' for name in COMMANDS)
        return Page(200, HTML, links.encode())
    if path.startswith("/commands/"):
        return Page(200, JSON, _json(_command(path.removeprefix("/commands/"), status)))
    if path == "/metrics":
        return Page(200, METRICS, _metrics(status).encode())
    if path == "/health":
        return Page(200 if status.serving else 503, JSON, _json(_health(status)))
    return Page(404, JSON, _json({"error": "try /commands, /metrics or /health"}))


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"


def _command(word: str, status: Status) -> dict[str, Any]:
    """As in ZooKeeper, what is wrong stands in the field `error` of a response with status 200."""
    name = ALIASES.get(word, word)
    command = COMMANDS.get(name)
    if command is None:
        return {"command": word, "error": f"Unknown command: {word}"}
    if status.mode == "looking" and name not in _WITHOUT_LEADER:
        return {
            "command": name,
            "error": "This ZooKeeper instance is not currently serving requests",
        }
    return {**command(status), "command": name, "error": None}


def _configuration(status: Status) -> dict[str, Any]:
    return {
        _snake_case(key): int(value) if value.isdecimal() else value
        for key, value in status.settings
    }


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _connections(status: Status) -> dict[str, Any]:
    return {
        "connections": [_connection(item) for item in status.connections if not item.is_secure],
        "secure_connections": [_connection(item) for item in status.connections if item.is_secure],
    }


def _connection(connection: ConnectionStatus) -> dict[str, Any]:
    return {
        "remote_socket_address": connection.address,
        "outstanding_requests": connection.queued,
        "packets_received": connection.received,
        "packets_sent": connection.sent,
        "session_id": f"0x{connection.session_id:x}",
        "session_timeout": connection.timeout_ms,
        "last_operation": connection.last_opcode,
    }


def _dump(status: Status) -> dict[str, Any]:
    """The ephemeral nodes by session, up to a number that holds nobody up."""
    owned: dict[str, list[str]] = {}
    looked_at = 0
    ephemerals = status.ephemerals()
    for session, paths in ephemerals:
        looked_at += 1 + len(paths)
        if looked_at > SLICE_NAMES:
            break
        if paths:
            owned.setdefault(f"0x{session:x}", []).extend(path.decode() for path in paths)
    ephemerals.close()
    return {"session_id_to_ephemeral_paths": owned, "is_cut_off": looked_at > SLICE_NAMES}


def _environment(status: Status) -> dict[str, Any]:
    return {"zookeeper.version": _FULL_VERSION, **dict(status.environment)}


def _leader(status: Status) -> dict[str, Any]:
    return {"is_leader": status.leader == status.replica_id, "leader_id": status.leader}


def _monitor(status: Status) -> dict[str, Any]:
    return dict(figures(status))


def _stats(status: Status) -> dict[str, Any]:
    return {**_server_stats(status), **_connections(status)}


def _server_stats(status: Status) -> dict[str, Any]:
    least, mean, greatest = status.latency_ms
    return {
        "version": _FULL_VERSION,
        "read_only": status.mode == "read-only",
        "server_stats": {
            "packets_sent": status.sent,
            "packets_received": status.received,
            "server_state": status.mode,
            "last_processed_zxid": status.zxid,
            "outstanding_requests": status.outstanding,
            "avg_latency": mean,
            "max_latency": greatest,
            "min_latency": least,
            "num_alive_client_connections": len(status.connections),
            "uptime": status.uptime_ms,
        },
        "node_count": status.node_count,
    }


def _watch_summary(status: Status) -> dict[str, Any]:
    return {
        "num_connections": status.watchers,
        "num_paths": status.watched_paths,
        "num_total_watches": status.watches,
    }


def _health(status: Status) -> dict[str, Any]:
    return {
        "serving": status.serving,
        "mode": status.mode,
        "missing": status.missing,
        "warnings": list(status.warnings),
    }


def _metrics(status: Status) -> str:
    """Numbers as they are; what is text, and stays, labels a metric that is always 1."""
    lines, labels = [], []
    for name, value in figures(status):
        if name in _FLEETING:
            continue
        if isinstance(value, str):
            labels.append(f"{name}={_quoted(value)}")
        elif not name.startswith("coord_peer_"):
            kind = "counter" if name in _COUNTERS else "gauge"
            lines.append(f"# TYPE {name} {kind}\n{name} {value}\n")
    lines.append(f"# TYPE coord_info gauge\ncoord_info{{{','.join(labels)}}} 1\n")
    if status.peers:
        lines.append("# TYPE coord_peer_index gauge\n")
        lines += [f'coord_peer_index{{peer="{peer}"}} {index}\n' for peer, index, _ in status.peers]
    return "".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


COMMANDS: Final[dict[str, Callable[[Status], dict[str, Any]]]] = {
    "configuration": _configuration,
    "connections": _connections,
    "dump": _dump,
    "environment": _environment,
    "is_read_only": lambda status: {"read_only": status.mode == "read-only"},
    "leader": _leader,
    "monitor": _monitor,
    "ruok": lambda _status: {},
    "server_stats": _server_stats,
    "stats": _stats,
    "watch_summary": _watch_summary,
}

ALIASES: Final = {
    "conf": "configuration",
    "config": "configuration",
    "cons": "connections",
    "envi": "environment",
    "env": "environment",
    "isro": "is_read_only",
    "lead": "leader",
    "mntr": "monitor",
    "srvr": "server_stats",
    "stat": "stats",
    "wchs": "watch_summary",
}
"""The four-letter words, and ZooKeeper's other short names."""

_WITHOUT_LEADER: Final = frozenset({"configuration", "environment", "leader", "monitor", "ruok"})
"""What a replica answers that serves nobody."""
