"""Commands on the shell itself: its session, its watches, its history."""

from typing import Final

from client import NoWatcher
from coord.cli.shell.row import Given, UsageError, whole
from coord.cli.shell.shell import Shell
from coord.cli.shell.watches import KINDS, Kind

MODES: Final = {"PERSISTENT": False, "PERSISTENT_RECURSIVE": True}
"""Mode of addWatch -> whether all below is watched too."""

HISTORY_SHOWN: Final = 100
"""Lines that `history` shows."""


async def show_help(shell: Shell, given: Given) -> None:
    """List the commands, or explain one."""
    names = given.words or tuple(sorted(shell.commands, key=str.lower))
    unknown = [name for name in names if name not in shell.commands]
    if unknown:
        raise UsageError(f"unknown command {unknown[0]!r}")
    rows = [(name, shell.commands[name]) for name in names]
    width = 0 if given.words else max(len(row.usage) for _name, row in rows if len(row.usage) < 50)
    lines = []
    for _name, row in rows:
        if len(row.usage) > width and not given.words:
            lines.append(row.usage)
            lines.append(f"{'':{width}}  {row.help}")
        else:
            lines.append(f"{row.usage:{width}}  {row.help}")
    value = {name: {"usage": row.usage, "help": row.help} for name, row in rows}
    shell.output.show(value, lines)


async def connect(shell: Shell, given: Given) -> None:
    """Begin a session, with other servers where they are given; the one before is closed."""
    shell.watches.clear()
    await shell.connection.open(given.words[0] if given.words else shell.hosts)
    zk = await shell.zk()
    shell.output.show({"session": f"0x{zk.session.id:x}"}, [f"session 0x{zk.session.id:x}"])


async def close(shell: Shell, _given: Given) -> None:
    """End the session."""
    shell.watches.clear()
    await shell.connection.close()
    shell.output.show({"closed": shell.connection.hosts}, [])


async def end(shell: Shell, _given: Given) -> None:
    """Leave the shell."""
    shell.has_quit = True


async def history(shell: Shell, _given: Given) -> None:
    """List the lines of this shell, with their numbers."""
    lines = list(enumerate(shell.history))[-HISTORY_SHOWN:]
    shell.output.show(
        [{"number": number, "line": line} for number, line in lines],
        [f"{number} - {line}" for number, line in lines],
    )


async def redo(shell: Shell, given: Given) -> None:
    """Carry out a line of the history again."""
    number = whole(given.words[0], "a line's number")
    if not 0 <= number < len(shell.history) - 1:
        raise UsageError(f"there is no line {number}")
    line = shell.history[number]
    shell.history.pop()  # as in zkCli.sh: what is done again stands there, not that it is
    await shell.run_line(line)


async def add_watch(shell: Shell, given: Given) -> None:
    """Watch a znode, or all below it too, until the watch is removed."""
    mode = given.values.get("m", "PERSISTENT_RECURSIVE")
    if mode not in MODES:
        raise UsageError(f"a mode is {' or '.join(MODES)}, not {mode!r}")
    await shell.watches.add(await shell.zk(), given.words[0], recursive=MODES[mode])
    shell.output.show({"watched": given.words[0], "mode": mode}, [])


async def remove_watches(shell: Shell, given: Given) -> None:
    """Remove watches of a znode: of children, of data, or all."""
    path, flags = given.words[0], given.flags
    kinds: frozenset[Kind] = frozenset(KINDS)
    if "c" in flags:
        kinds = frozenset({"children"})
    elif "d" in flags:
        kinds = frozenset({"data"})
    if not shell.watches.remove(path, kinds):
        raise NoWatcher(path)
    shell.output.show({"removed": path}, [])


async def print_watches(shell: Shell, given: Given) -> None:
    """Say whether events are written, or change it."""
    if given.words:
        if given.words[0] not in ("on", "off"):
            raise UsageError("write: printwatches on|off")
        shell.watches.are_printed = given.words[0] == "on"
    word = "on" if shell.watches.are_printed else "off"
    shell.output.show({"printwatches": word}, [f"printwatches is {word}"])
