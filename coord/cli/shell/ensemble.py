"""Commands on the ensemble: its configuration, its version."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from coord.cli.shell.row import Given, UsageError
from coord.cli.shell.shell import Shell
from coord.cli.znode import data_record, stat_record, stat_text

CONFIG = "/zookeeper/config"


async def config(shell: Shell, given: Given) -> None:
    """Show who is a member, or with -c where clients connect."""
    zk = await shell.zk()
    found = await zk.get_config()
    if "w" in given.flags:
        await shell.watches.read(zk, CONFIG)
    text = client_addresses(found.data.decode()) if "c" in given.flags else found.data.decode()
    value = {**data_record(text.encode()), "stat": stat_record(found.stat)}
    shell.output.show(value, [text, *(stat_text(found.stat) if "s" in given.flags else ())])


def client_addresses(text: str) -> str:
    """Return where the members of a configuration take clients: "host:port,host:port"."""
    addresses = []
    for line in text.splitlines():
        found = re.match(r"server\.\d+=([^;]*)(?:;(?:(.+):)?(\d+))?$", line.strip())
        if found is not None and found[3] is not None:
            host = found[2] or "0.0.0.0"
            own = found[1].partition(":")[0]
            addresses.append(f"{own if host in ('0.0.0.0', '::') else host}:{found[3]}")
    return ",".join(addresses)


async def reconfig(shell: Shell, given: Given) -> None:
    """Change who is a member."""
    values = given.values
    whole = {"file", "members"} & values.keys()
    if len(whole) > 1 or (whole and {"add", "remove"} & values.keys()):
        raise UsageError("-file, -members, and -add with -remove exclude each other")
    if not whole and not {"add", "remove"} & values.keys():
        raise UsageError("write: -add, -remove, -members or -file with what there shall be")
    members = values.get("members")
    if "file" in values:
        members = _members_of(Path(values["file"]))
    found = await (await shell.zk()).reconfig(
        joining=values.get("add"),
        leaving=values.get("remove"),
        new_members=members,
        from_config=int(values.get("v", "-1"), 16),
    )
    lines = ["Committed new configuration:", found.data.decode()]
    value = {**data_record(found.data), "stat": stat_record(found.stat)}
    shell.output.show(value, [*lines, *(stat_text(found.stat) if "s" in given.flags else ())])


def _members_of(path: Path) -> str:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return ",".join(line for line in lines if line.startswith("server."))


async def show_version(shell: Shell, _given: Given) -> None:
    """Show the version of this shell."""
    try:
        number = version("coord")
    except PackageNotFoundError:  # run from a folder of sources
        number = "unknown"
    shell.output.show({"version": number}, [f"coord CLI version: {number}"])
