"""zkCli.sh of the Debian package, and the same commands through `coord shell`.

    python -m tests.ensemble.zkcli HOSTS

gives one script to both, each under a parent of its own, and compares what it means: the results,
the events, the faults, and the tree that is left.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import trio

from client import connect
from coord.cli.shell.subtree import descendants
from tests.ensemble.commands import ENVIRONMENT, ROOT
from tests.ensemble.servers import JVM_QUICK

SHELL = Path("/usr/share/zookeeper/bin/zkCli.sh")
EVENT = re.compile(r"\nWATCHER::\n\nWatchedEvent state:(\w+) type:(\w+) path:(\S+)\n")
SECONDS = 120

SCRIPT = """
create BASE/a one
create BASE/a one
create -s BASE/s- two
create -s -e BASE/s- three
create -c BASE/c
create -t 3600000 BASE/t x
create BASE/acl "two words" world:anyone:cdr,ip:127.0.0.1:cdrwa
get BASE/acl
get -w BASE/a
set BASE/a two
set -v 7 BASE/a three
set -v 1 BASE/a {"json":true}
get BASE/a
get BASE/none
stat -w BASE/later
create BASE/later
ls -w BASE/a
create BASE/a/b
create BASE/a/b/c/d
ls BASE/a
ls BASE/none
ls -R BASE
getAllChildrenNumber BASE
getEphemerals BASE
delete -v 3 BASE/later
delete BASE/a
delete BASE/later
addWatch BASE/w
create BASE/w
create BASE/w/x
set BASE/w/x y
deleteall BASE/w
removewatches BASE/w
create BASE/w
removewatches BASE/none
addWatch -m PERSISTENT BASE/p
create BASE/p
create BASE/p/q
removewatches BASE/p
setAcl -v 4 BASE/c world:anyone:r
setAcl -R BASE/a world:anyone:cdrwa,ip:127.0.0.1:r
addauth digest ann:secret
create BASE/own x auth:ann:secret:cdrwa
get BASE/own
create BASE/q
create BASE/q/r
setquota -n 5 BASE/q
setquota -N 50 BASE/q
setquota -b 100 BASE/q/r
listquota BASE/q
delquota -n BASE/q
create BASE/gone
setquota -B 7 BASE/gone
delquota BASE/gone
listquota BASE/gone
sync BASE
printwatches off
get -w BASE/a
set BASE/a last
reconfig -remove 99
nonsense
quit
"""
"""Every command whose meaning is in the servers, right and wrong."""

FAULTS = {
    "Node does not exist": "NoNode",
    "Node already exists": "NodeExists",
    "Node not empty": "NotEmpty",
    "version No is not valid": "BadVersion",
    "No such watcher": "NoWatcher",
    "Unimplemented": "Unimplemented",
    "Reconfig is disabled": "ReconfigDisabled",
    "which has a quota": "UsageError",
    "Command not found": "UsageError",
}
"""What zkCli.sh writes -> the error's name."""


@attrs.frozen
class Meaning:
    """What a run of the script came to, with BASE for the parent."""

    created: list[str]
    """What was created, in order."""
    results: list[str]
    """Lines of results, sorted: zkCli.sh lists a tree level by level, `coord shell` depth first."""
    events: list[tuple[str, str]]
    """Type and path of each event, in order."""
    faults: list[str]
    """The name of each error, in order."""


@attrs.frozen
class Output:
    """What a run of the shell printed."""

    lines: list[str]
    """Standard output, less events, the version of the shell and empty lines."""
    messages: list[str]
    """What was created, and errors; less the logging library's complaints."""
    events: list[tuple[str, str]]
    """The watch events as (type, path)."""


def run(hosts: str, *commands: str, arguments: tuple[str, ...] = ()) -> Output:
    """Give commands to one zkCli.sh."""
    process = subprocess.run(
        [SHELL, "-server", hosts, *arguments],
        env={**os.environ, "CLIENT_JVMFLAGS": " ".join(JVM_QUICK)},
        input="\n".join([*commands, "quit", ""]),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    events = [match.groups()[1:] for match in EVENT.finditer(process.stdout)]
    lines = EVENT.sub("", process.stdout).splitlines()
    messages = process.stderr.splitlines()
    return Output(
        [line for line in lines if line][0 if arguments else 3 :],
        [line for line in messages if not line.startswith("SLF4J")],
        [(kind, path) for kind, path in events if kind != "None"],
    )


def through_zkcli(hosts: str, base: str) -> Meaning:
    """Give the script to zkCli.sh."""
    output = run(hosts, *(line.replace("BASE", base) for line in SCRIPT.split("\n") if line))
    created, faults = [], []
    for line in output.messages:
        if line.startswith("Created "):
            created.append(line.removeprefix("Created ").replace(base, "BASE"))
        faults += [name for text, name in FAULTS.items() if text in line][:1]
    events = [
        (kind, path.replace(base, "BASE"))
        for kind, path in output.events
        if kind != "PersistentWatchRemoved"  # zkCli.sh tells itself what it has just done
    ]
    return Meaning(
        created, sorted(line.replace(base, "BASE") for line in output.lines), events, faults
    )


def through_coord(hosts: str, base: str) -> Meaning:
    """Give the script to `coord shell --json`: one value for each command, and the events."""
    commands = [line.replace("BASE", base) for line in SCRIPT.split("\n") if line]
    process = subprocess.run(
        [sys.executable, "-m", "coord", "shell", "--json", "--hosts", hosts],
        cwd=ROOT,
        env=ENVIRONMENT,
        input="\n".join(commands),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert process.stderr == ""
    values = [json.loads(line.replace(base, "BASE")) for line in process.stdout.splitlines()]
    events = [value for value in values if isinstance(value, dict) and "event" in value]
    answers = [value for value in values if value not in events]
    assert len(answers) == len(commands) - 1, "quit answers nothing"
    created, results, faults = [], [], []
    for command, answer in zip(commands, answers, strict=False):
        if isinstance(answer, dict) and "error" in answer:
            faults.append(answer["error"])
        elif command.startswith("create"):
            created.append(answer["path"])
        else:
            results += lines_of(command, answer)
    return Meaning(created, sorted(results), [(e["event"], e["path"]) for e in events], faults)


def lines_of(command: str, answer: Any) -> list[str]:
    """An answer as zkCli.sh would write it."""
    match command.split()[0], answer:
        case "get", {"data": data}:
            return [data]
        case "ls", list() if "-R" in command:
            return answer
        case (("ls" | "getEphemerals"), list()):
            return [f"[{', '.join(answer)}]"]
        case "getAllChildrenNumber", int():
            return [str(answer)]
        case "sync", _:
            return ["Sync is OK"]
        case "listquota", {"quota": dict(limits), "used": dict(used)}:
            path = answer["path"]
            limits_text = "count={count},bytes={bytes}".format(**limits)
            limits_text += "=;byteHardLimit={byteHardLimit};countHardLimit={countHardLimit}".format(
                **limits
            )
            used_text = "count={count},bytes={bytes}".format(**used)
            return [f"Output quota for {path} {limits_text}", f"Output stat for {path} {used_text}"]
    return []


async def tree(hosts: str, base: str) -> dict[str, tuple[Any, ...]]:
    """Data, version, ACL and its version of all below the parent, and of its quotas."""
    found = {}
    async with connect(hosts, auth=[("digest", "ann:secret")]) as zk:
        for root in (base, f"/zookeeper/quota{base}"):
            async for path in descendants(zk, root):
                data, stat = await zk.get(path)
                acl, _ = await zk.get_acls(path)
                owner = min(0, stat.ephemeral_owner)
                found[path.replace(base, "BASE")] = (
                    *(data, stat.version, stat.aversion, stat.num_children),
                    *(owner, tuple(acl)),
                )
    return found


async def clear(hosts: str, base: str) -> None:
    """Make the parent, or make it anew."""
    async with connect(hosts, auth=[("digest", "ann:secret")]) as zk:
        for root in (base, f"/zookeeper/quota{base}"):
            await zk.delete(root, recursive=True)
        await zk.create(base)


def compare(hosts: str) -> tuple[Meaning, Meaning, dict[str, Any], dict[str, Any]]:
    """The meanings and the trees of zkCli.sh and of `coord shell`."""
    for base in ("/zkcli", "/shell"):
        trio.run(clear, hosts, base)
    theirs, ours = through_zkcli(hosts, "/zkcli"), through_coord(hosts, "/shell")
    return theirs, ours, trio.run(tree, hosts, "/zkcli"), trio.run(tree, hosts, "/shell")


def main() -> None:
    """Compare, and say how much was compared."""
    theirs, ours, their_tree, our_tree = compare(sys.argv[1])
    for field in attrs.fields(Meaning):
        left, right = getattr(theirs, field.name), getattr(ours, field.name)
        print(f"{field.name}: {len(left)}, {'equal' if left == right else f'{left} != {right}'}")
    left_over = their_tree == our_tree
    print(f"tree: {len(their_tree)}, {'equal' if left_over else f'{their_tree} != {our_tree}'}")
    sys.exit(0 if theirs == ours and left_over else 1)


if __name__ == "__main__":
    main()
