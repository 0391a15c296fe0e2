"""`coord serve CONFIG.toml`: one replica in the foreground."""

import logging
import sys
from pathlib import Path

import click
import trio

from coord.cli.compiled import outdated
from coord.config import ConfigError, load

LOG = logging.getLogger(__name__)


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
def serve(config: Path) -> None:
    """Run one replica until SIGTERM or SIGINT.

    Exit status: 0 after an orderly end, 2 for a configuration or a data folder that cannot be
    used, 1 when the replica had to stop (a failed disk, damage that cannot be repaired).
    """
    try:
        loaded = load(config)
    except ConfigError as error:
        for fault in error.faults:
            print(f"coord: {config}: {fault}", file=sys.stderr)
        sys.exit(2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if modules := outdated():
        LOG.warning("not compiled from the present sources, install again: %s", ", ".join(modules))
    from coord.server import StartError, StopError, run

    try:
        trio.run(run, loaded)
    except* StartError as group:
        _say(group)
        sys.exit(2)
    except* StopError as group:
        _say(group)
        sys.exit(1)


def _say(group: BaseExceptionGroup[Exception]) -> None:
    """One line on standard error for each leaf of the group."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            _say(error)
        else:
            print(f"coord: {error}", file=sys.stderr)
