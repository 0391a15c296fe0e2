"""placeholder"""
import click
@click.command()
def shell() -> None:
    """x"""
