"""The command `coord`: a group with one file for each command, imported when it is called."""

from importlib import import_module

import click

COMMANDS = {
    "dev": "coord.cli.dev",
    "elect": "coord.cli.elect",
    "lock": "coord.cli.lock",
    "quorum": "coord.cli.quorum",
    "serve": "coord.cli.serve",
    "shell": "coord.cli.shell.command",
    "status": "coord.cli.status",
    "watch": "coord.cli.watch",
}
"""Command -> its module, which holds a click command of the same name."""


class Commands(click.Group):
    """Imports a command's module only when it is needed: a replica must not wait for the shell."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """All names."""
        return sorted(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[name]), name)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A ZooKeeper-compatible coordination service with flexible quorums."""
