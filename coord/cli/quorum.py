"""`coord quorum check TEXT`: is a quorum system legal, and why not."""

import sys

import click

from coord.quorums import QuorumError, parse


@click.group()
def quorum() -> None:
    """Ask about quorum systems."""


@quorum.command()
@click.argument("text")
@click.option("--replicas", default=3, show_default=True, help="Number of voters.")
def check(text: str, replicas: int) -> None:
    """Say whether TEXT is a legal quorum system; exit status 1 when it is refused."""
    try:
        system = parse(text, range(1, replicas + 1))
    except QuorumError as error:
        print(f"refused: {error}")
        sys.exit(1)
    print(f"accepted: {system.text} over {replicas} replicas")
