"""`coord elect PATH -- COMMAND`: run a command while leading."""

import click

from coord.cli.hold import Holding, Wanted, held_options


@click.command()
@held_options("lead", "COORD_TERM")
def elect(wanted: Wanted) -> None:
    """Run COMMAND while leading at PATH. Those who observe PATH see --data.

    COMMAND finds COORD_TERM_TOKEN, a number greater than that of every leader before,
    COORD_TERM_PATH, COORD_TERM_ZNODE, the znode that a transaction should check, and COORD_HOSTS in
    its environment. All else, signals, the end of a term that was lost and the exit status, is as
    with `coord lock`. When COMMAND ends, so does the term.
    """
    Holding(wanted).main()
