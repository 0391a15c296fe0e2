"""`coord status`: every replica, and what may fail next."""

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from client import ClientConfig
from coord.cli import slots
from coord.cli.words import hosts_option, monitor

TABLE_WIDTH = 110
"""Columns that the table needs; a narrow terminal wraps it, nothing is cut."""


@click.command()
@hosts_option
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--explain", is_flag=True, help="Show what may become of uncommitted entries.")
def status(hosts: str, as_json: bool, explain: bool) -> None:  # noqa: FBT001 - click's way
    """Show every replica: role, epoch, zxid, lag, digest, quorums and what is missing.

    With --explain, the newest uncommitted slots of the log as registers: a row for each epoch, a
    column for each voter. An entry is named by the epoch in which it was proposed; - is where none
    can be stored any more, _ where one can, ? what is not known. Then what each quorum decides.

    Exit status 1 when a replica does not answer or the ensemble cannot commit.
    """
    try:
        addresses = ClientConfig.of(hosts).hosts.addresses
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    rows: list[dict[str, str]] = []
    for host, port in addresses:
        try:
            row = monitor(host, port)
        except OSError as error:
            row = {"fault": str(error.strerror or error)}
        rows.append({"address": f"{host}:{port}", **row})
    uncommitted = slots.uncommitted(rows) if explain else []
    if as_json:
        print(json.dumps([*rows, *map(slots.as_record, uncommitted)], indent=2))
    else:
        _print(rows)
    if explain and not as_json:
        slots.print_slots(uncommitted)
    healthy = all("fault" not in row and row.get("coord_serving") == "1" for row in rows)
    sys.exit(0 if healthy else 1)


def _print(rows: list[dict[str, str]]) -> None:
    table = Table(box=None)
    for heading in ("replica", "address", "role", "epoch", "zxid", "applied", "lag", "digest"):
        table.add_column(heading)
    newest = max((int(row.get("coord_commit_index", "0")) for row in rows), default=0)
    for row in rows:
        if "fault" in row:
            table.add_row("?", row["address"], f"does not answer: {row['fault']}")
            continue
        role = row.get("server_state", "?")
        if row.get("coord_serving") != "1":
            role += ", no leader confirmed"
        table.add_row(
            row.get("coord_replica", "?"),
            row["address"],
            role,
            _epoch(int(row.get("coord_epoch", "0"))),
            f"0x{int(row.get('coord_zxid', '0')):x}",
            row.get("coord_applied_index", "?"),
            str(newest - int(row.get("coord_applied_index", "0"))),
            row.get("coord_digest", "?"),
        )
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    console.print(table)
    for line in sorted({_finding(row) for row in rows} - {""}):
        console.print(line)
    for row in rows:
        for key in sorted(key for key in row if key.startswith("coord_warning_")):
            console.print(f"{row['address']}: {row[key]}")


def _finding(row: dict[str, str]) -> str:
    if "fault" in row:
        return ""
    text = f"quorums: {row.get('coord_quorums', '?')}"
    missing = row.get("coord_missing", "")
    return f"{text}; replica {row.get('coord_replica')} says: {missing}" if missing else text


def _epoch(epoch: int) -> str:
    """An epoch as round and owner."""
    return f"{epoch >> 16} of {epoch >> 8 & 0xFF}"
