"""`coord shell -- COMMAND`: one command on znodes, with zkCli.sh's names and options."""

import sys
from collections.abc import Awaitable, Callable
from typing import Final

import click
import trio

from client import Client, Stat, ZooKeeperError, connect
from coord.cli.words import hosts_option

CONNECTED_WITHIN_S: Final = 10.0
"""After this the servers are reported as not answering."""


class UsageError(Exception):
    """The command is not one; the text says how it is written."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@hosts_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def shell(hosts: str, command: tuple[str, ...]) -> None:
    """Run one COMMAND: get, set, create, ls, stat, delete or watch.

    Exit status: 0 when it was carried out, 1 when the servers refused it, 2 for a command that is
    none, 69 when no server answers.
    """
    try:
        trio.run(_run, hosts, command)
    except UsageError as error:
        _end(str(error), 2)
    except ZooKeeperError as error:
        _end(f"{command[0]}: {type(error).__name__}: {' '.join(command[1:])}", 1)
    except trio.TooSlowError:
        _end(f"no server of {hosts} answers", 69)
    except ValueError as error:
        _end(str(error), 2)
    except KeyboardInterrupt:
        sys.exit(130)


async def _run(hosts: str, command: tuple[str, ...]) -> None:
    usage, action, flags, (least, greatest) = _parsed(command[0])
    given = {word for word in command[1:] if word in flags}
    words = [word for word in command[1:] if word not in given]
    if not least <= len(words) <= greatest:
        raise UsageError(f"write: {usage}")
    with trio.fail_after(CONNECTED_WITHIN_S) as scope:
        async with connect(hosts) as zk:
            scope.deadline = float("inf")
            try:
                await action(zk, words, given)
            except ZooKeeperError as error:
                failed: ZooKeeperError | None = error
            else:
                failed = None
    if failed is not None:
        raise failed


def _parsed(name: str) -> "Row":
    row = COMMANDS.get(name)
    if row is None:
        raise UsageError(f"unknown command {name!r}; known are {', '.join(sorted(COMMANDS))}")
    return row


def _end(sentence: str, status: int) -> None:
    print(f"coord: {sentence}", file=sys.stderr)
    sys.exit(status)


async def _get(zk: Client, words: list[str], flags: set[str]) -> None:
    data, stat = await zk.get(words[0])
    _print_data(data)
    if "-s" in flags:
        _print_stat(stat)


async def _set(zk: Client, words: list[str], flags: set[str]) -> None:
    version = _number(words[2]) if len(words) > 2 else -1
    stat = await zk.set(words[0], words[1].encode(), version)
    if "-s" in flags:
        _print_stat(stat)


async def _create(zk: Client, words: list[str], flags: set[str]) -> None:
    data = words[1].encode() if len(words) > 1 else b""
    path = await zk.create(
        words[0],
        data,
        ephemeral="-e" in flags,
        sequence="-s" in flags,
        container="-c" in flags,
        makepath="-p" in flags,
    )
    print(path)


async def _ls(zk: Client, words: list[str], flags: set[str]) -> None:
    root = words[0] if words else "/"
    if "-R" not in flags:
        for name in sorted(await zk.get_children(root)):
            print(name)
        return
    waiting = [root]
    while waiting:
        path = waiting.pop()
        print(path)
        names = sorted(await zk.get_children(path), reverse=True)
        waiting.extend(f"{path.rstrip('/')}/{name}" for name in names)


async def _stat(zk: Client, words: list[str], _flags: set[str]) -> None:
    _data, stat = await zk.get(words[0])
    _print_stat(stat)


async def _delete(zk: Client, words: list[str], flags: set[str]) -> None:
    version = _number(words[1]) if len(words) > 1 else -1
    await zk.delete(words[0], version, recursive="-r" in flags)


async def _watch(zk: Client, words: list[str], _flags: set[str]) -> None:
    """Print the data at once and after each change, until the command is interrupted."""
    async for znode in zk.watch(words[0]):
        if znode is None:
            print("(no such znode)", flush=True)
        else:
            _print_data(znode.data)


def _print_data(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def _print_stat(stat: Stat) -> None:
    print(f"cZxid = 0x{stat.czxid:x}")
    print(f"ctime = {stat.ctime.isoformat(timespec='milliseconds')}")
    print(f"mZxid = 0x{stat.mzxid:x}")
    print(f"mtime = {stat.mtime.isoformat(timespec='milliseconds')}")
    print(f"pZxid = 0x{stat.pzxid:x}")
    print(f"cversion = {stat.cversion}")
    print(f"dataVersion = {stat.version}")
    print(f"aclVersion = {stat.aversion}")
    print(f"ephemeralOwner = 0x{stat.ephemeral_owner:x}")
    print(f"dataLength = {stat.data_length}")
    print(f"numChildren = {stat.num_children}")


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"a version is a whole number, not {text!r}") from None


Action = Callable[[Client, list[str], set[str]], Awaitable[None]]
Row = tuple[str, Action, frozenset[str], tuple[int, int]]

COMMANDS: Final[dict[str, Row]] = {
    "get": ("get [-s] PATH", _get, frozenset({"-s"}), (1, 1)),
    "set": ("set [-s] PATH DATA [VERSION]", _set, frozenset({"-s"}), (2, 3)),
    "create": (
        "create [-e] [-s] [-c] [-p] PATH [DATA]",
        _create,
        frozenset({"-e", "-s", "-c", "-p"}),
        (1, 2),
    ),
    "ls": ("ls [-R] [PATH]", _ls, frozenset({"-R"}), (0, 1)),
    "stat": ("stat PATH", _stat, frozenset(), (1, 1)),
    "delete": ("delete [-r] PATH [VERSION]", _delete, frozenset({"-r"}), (1, 2)),
    "watch": ("watch PATH", _watch, frozenset(), (1, 1)),
}
"""Command -> usage, action, flags, least and greatest number of words."""
