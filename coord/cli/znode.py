"""How a znode is shown: its data as it is, its Stat as zkCli.sh writes it, both as JSON."""

import base64
import sys
from typing import Any

from client import Stat, Znode


def print_data(data: bytes) -> None:
    """Write data as it is, and a line end."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def data_record(data: bytes) -> dict[str, str]:
    """Return data for JSON: under "data" where it is text, else under "data_base64"."""
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(data).decode()}


def stat_record(stat: Stat) -> dict[str, Any]:
    """Return a Stat for JSON, under zkCli.sh's names; times in ms since 1970."""
    return {
        "cZxid": stat.czxid,
        "ctime": stat.ctime_ms,
        "mZxid": stat.mzxid,
        "mtime": stat.mtime_ms,
        "pZxid": stat.pzxid,
        "cversion": stat.cversion,
        "dataVersion": stat.version,
        "aclVersion": stat.aversion,
        "ephemeralOwner": stat.ephemeral_owner,
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    }


def stat_text(stat: Stat) -> list[str]:
    """Return the lines of a Stat as zkCli.sh writes it, with times after ISO 8601."""
    words: dict[str, Any] = stat_record(stat)
    for name in ("cZxid", "mZxid", "pZxid", "ephemeralOwner"):
        words[name] = f"0x{words[name]:x}"
    words["ctime"] = stat.ctime.isoformat(timespec="milliseconds")
    words["mtime"] = stat.mtime.isoformat(timespec="milliseconds")
    return [f"{name} = {word}" for name, word in words.items()]


def record(path: str, state: Znode | None) -> dict[str, Any]:
    """Return a state of a znode for JSON; "exists" is false while it is missing."""
    if state is None:
        return {"path": path, "exists": False}
    return {
        "path": path,
        "exists": True,
        **data_record(state.data),
        "stat": stat_record(state.stat),
    }
