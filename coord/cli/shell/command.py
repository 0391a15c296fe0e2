"""`coord shell`: one command, the commands of a script, or a prompt."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import trio

from coord.cli.shell.output import Output
from coord.cli.shell.shell import DONE, Shell
from coord.cli.shell.table import COMMANDS
from coord.cli.words import hosts_option


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@hosts_option
@click.option("--json", "as_json", is_flag=True, help="Write one JSON value for each result.")
@click.option(
    "--history",
    type=click.Path(path_type=Path),
    show_default="coord/shell_history in XDG_STATE_HOME",
    help="Where the prompt keeps its lines.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(
    hosts: str,
    as_json: bool,  # noqa: FBT001 - click's way
    history: Path | None,
    command: tuple[str, ...],
) -> None:
    """Run one COMMAND on znodes, or without one, those on standard input: at a prompt, or a script.

    The commands are zkCli.sh's; `coord shell -- help` lists them. With -w, and after addWatch, one
    COMMAND goes on until its watches have ended.

    Exit status, of the last command: 0 when it was carried out, 1 when the servers refused it, 2
    for a command that is none, 69 when no server answers.
    """
    is_prompt = not command and sys.stdin.isatty() and sys.stdout.isatty()
    colours = sys.stdout.isatty() and not command and not os.environ.get("NO_COLOR")
    output = Output(as_json=as_json, colours=colours)
    try:
        if is_prompt:
            sys.exit(trio.run(_prompt, hosts, output, history))
        sys.exit(trio.run(_run, hosts, output, command))
    except KeyboardInterrupt:
        sys.exit(130)


async def _run(hosts: str, output: Output, command: Sequence[str]) -> int:
    async with trio.open_nursery() as nursery:
        opened = Shell(nursery, COMMANDS, hosts, output)
        await opened.connection.open(hosts)
        if command:
            await opened.run(command)
            if opened.status == DONE:
                await opened.watches.wait_until_none()
        else:
            await run_script(opened)
        await opened.connection.close()
        nursery.cancel_scope.cancel()
    return opened.status


async def run_script(opened: Shell) -> None:
    """Carry out the lines of standard input."""
    while not opened.has_quit:
        line = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        if not line:
            return
        await opened.run_line(line)


async def _prompt(hosts: str, output: Output, history: Path | None) -> int:
    from coord.cli.shell.prompt import Prompt, default_history

    async with trio.open_nursery() as nursery:
        opened = Shell(nursery, COMMANDS, hosts, output)
        await opened.connection.open(hosts)
        await Prompt(opened, history or default_history()).run()
        await opened.connection.close()
        nursery.cancel_scope.cancel()
    return opened.status
