"""The command `coord`: a group with one file for each command."""

import click

from coord.cli.dev import dev
from coord.cli.quorum import quorum
from coord.cli.serve import serve
from coord.cli.shell import shell
from coord.cli.status import status


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A ZooKeeper-compatible coordination service with flexible quorums."""


for command in (dev, serve, shell, status, quorum):
    main.add_command(command)
