"""`coord elect PATH -- COMMAND`: run a command while leading."""

import click

from client import LayoutName
from coord.cli.hold import Wanted, data_option, layout_option, session_option, wait_option
from coord.cli.words import hosts_option


@click.command()
@hosts_option
@wait_option
@session_option
@data_option
@layout_option
@click.argument("path")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def elect(  # noqa: PLR0913  (one for each option)
    hosts: str,
    path: str,
    command: tuple[str, ...],
    data: str,
    layout: LayoutName,
    session_timeout: float | None,
    wait: bool,  # noqa: FBT001 - click's way
) -> None:
    """Run COMMAND while leading at PATH. Those who observe PATH see --data.

    COMMAND finds COORD_TERM_TOKEN, a number greater than that of every leader before,
    COORD_TERM_PATH, COORD_TERM_ZNODE, the znode that a transaction should check, and COORD_HOSTS in
    its environment. All else, signals, the end of a term that was lost and the exit status, is as
    with `coord lock`. When COMMAND ends, so does the term.
    """
    Wanted(
        "lead", "COORD_TERM", hosts, path, command, data.encode(), layout, wait, session_timeout
    ).run()
