"""Where the replicas are, and how a command asks one a four-letter word."""

import os
import socket

import click

DEFAULT_HOSTS = "127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183"
TIMEOUT_S = 2.0
"""A replica that takes longer is reported as not answering."""
CONNECTED_WITHIN_S = 10.0
"""A client without a session after this reports that no server answers."""

hosts_option = click.option(
    "--hosts",
    default=lambda: os.environ.get("COORD_HOSTS", DEFAULT_HOSTS),
    show_default="COORD_HOSTS, else the three of `coord dev`",
    help="Client addresses, host:port separated by commas.",
)


def ask(host: str, port: int, word: str) -> str:
    """The replica's answer; raises OSError when it does not answer."""
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as connection:
        connection.sendall(word.encode())
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts).decode(errors="replace")


def monitor(host: str, port: int) -> dict[str, str]:
    """The answer to `mntr` as a dict without the prefix `zk_`."""
    rows = (line.partition("\t") for line in ask(host, port, "mntr").splitlines())
    return {key.removeprefix("zk_"): value for key, _tab, value in rows}
