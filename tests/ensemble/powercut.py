"""What a power cut would leave: a process's file system calls, and its files as last synced.

A killed process proves nothing about syncs, since the page cache survives it. Here the server runs
under strace, which writes down what it wrote and when a sync was completed; from that its files are
built again with only the writes that a completed fsync or fdatasync, or an O_DSYNC descriptor, has
made durable. Creating, renaming and removing names counts as durable at once (a journal keeps their
order), contents never do.
"""

import random
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from tests.ensemble.processes import wait_for

TRACED = (
    "openat,lseek,write,writev,pwrite64,pwritev,ftruncate,fsync,fdatasync,sendto,sendmsg,"
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir"
)
WRITES = ("write", "writev", "pwrite64", "pwritev")
SENDS = ("write", "writev", "sendto", "sendmsg")
SYNCS = ("fsync", "fdatasync")

LINE = re.compile(r"(?P<thread>\d+) +(?P<time>\d+\.\d+) (?P<rest>.*)")
CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+).*", re.DOTALL)
DURATION = re.compile(r" <(\d+\.\d+)>$")
RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
DESCRIPTOR = re.compile(r"(?P<number>\d+)<(?P<path>(?:->|[^>])*)>")
QUOTED = re.compile(r'"([^"]*)"')


def strace_missing() -> str | None:
    """Why nothing can be traced here, or None."""
    return None if shutil.which("strace") else "strace is not installed"


def tracer(log: Path) -> list[str]:
    """The command line to put before a server's: it keeps its process id."""
    options = ["-f", "-D", "--seccomp-bpf", "-ttt", "-T", "-yy", "-xx", "-s", str(1 << 20)]
    return ["strace", *options, "-e", f"trace={TRACED}", "-o", str(log)]


def wait_until_complete(log: Path, pid: int) -> None:
    """Wait until strace has written down the end of a process; it outlives it a little."""
    end = re.compile(rf"^{pid} .*\+\+\+ ", re.MULTILINE)

    def complete() -> bool:
        return log.exists() and end.search(log.read_text(errors="replace")[-4096:]) is not None

    wait_for(complete, seconds=10, what=f"the end of {pid} in {log}")


@attrs.frozen
class Call:
    """One system call that returned."""

    name: str
    """Of the call."""
    arguments: str
    """As strace shows them."""
    result: int
    """What it returned; never negative, failed calls are left out."""
    entered: float
    """When the call was made, in seconds of the wall clock."""
    returned: float
    """When it had returned."""

    @property
    def descriptor(self) -> int:
        """The file descriptor that is its first argument."""
        match = DESCRIPTOR.match(self.arguments)
        return int(match["number"]) if match else -1

    @property
    def path(self) -> str:
        """The file or the connection behind the descriptor."""
        match = DESCRIPTOR.match(self.arguments)
        return unquoted(match["path"]).decode(errors="replace") if match else ""

    @property
    def data(self) -> bytes:
        """What was written: as many bytes as the call returned."""
        return b"".join(map(unquoted, QUOTED.findall(self.arguments)))[: self.result]

    @property
    def names(self) -> list[str]:
        """The quoted path names among the arguments."""
        return [unquoted(name).decode() for name in QUOTED.findall(self.arguments)]


def unquoted(text: str) -> bytes:
    r"""Turn \xab\xcd into bytes; what is not written so stands for itself."""
    if text.startswith("\\x") and len(text) == 4 * text.count("\\x"):
        return bytes.fromhex(text.replace("\\x", ""))
    return text.encode()


def calls(log: Path) -> Iterator[Call]:
    """Read the calls that succeeded, in the order in which they returned."""
    unfinished: dict[str, tuple[str, float]] = {}
    with log.open(errors="replace") as lines:
        for line in lines:
            match = LINE.fullmatch(line.rstrip("\n"))
            if match is None:
                continue
            thread, now, rest = match["thread"], float(match["time"]), match["rest"]
            if rest.endswith(" <unfinished ...>"):
                unfinished[thread] = rest.removesuffix(" <unfinished ...>"), now
                continue
            entered, returned = now, now
            if resumed := RESUMED.fullmatch(rest):
                head, entered = unfinished.pop(thread)
                rest = head + resumed[1]
            elif duration := DURATION.search(rest):
                returned = entered + float(duration[1])
            call = CALL.fullmatch(rest)
            if call and not call["result"].startswith("-"):
                result = int(call["result"])
                yield Call(call["name"], call["arguments"], result, entered, returned)


@attrs.define
class Disk:
    """Files below one folder, as written and as durable."""

    folder: Path
    """Where the traced process kept them."""
    durable: dict[str, bytearray] = attrs.field(factory=dict)
    """The contents that a power cut leaves, by the path below the folder."""
    folders: set[str] = attrs.field(factory=set)
    """The folders that were made."""
    _pending: dict[str, list[tuple[int, bytes | None]]] = attrs.field(factory=dict)
    _offsets: dict[int, int] = attrs.field(factory=dict)
    _synchronous: set[int] = attrs.field(factory=set)

    @classmethod
    def at(cls, moment: float, log: Path, folder: Path) -> "Disk":
        """Follow a trace up to a moment of the wall clock; the folder was empty before."""
        (disk,) = cls.at_each([moment], log, folder)
        return disk

    @classmethod
    def at_each(cls, moments: Iterable[float], log: Path, folder: Path) -> "Iterator[Disk]":
        """Follow a trace and stop at each of some moments, ascending: it is one disk that grows."""
        disk = cls(folder)
        following = list(calls(log))
        for moment in moments:
            later = []
            for call in following:
                if call.returned <= moment:
                    disk.follow(call)
                else:
                    later.append(call)
            following = later
            yield disk

    def follow(self, call: Call) -> None:
        """Take the effect of one call."""
        if call.name == "openat":
            self._open(call)
        elif call.name.startswith(("rename", "unlink", "rmdir", "mkdir")):
            self._name(call)
        elif (path := self._below(call.path)) is not None:
            self._touch(call, path)

    def write_to(self, target: Path) -> None:
        """Put down the files as a power cut would leave them."""
        for folder in sorted(self.folders):
            (target / folder).mkdir(parents=True, exist_ok=True)
        put_down(self.durable, target)

    def left_by(self, call: Call, length: int) -> dict[str, bytearray]:
        """The contents if the power fails within a write of which the first bytes get through."""
        contents = {path: self._current(path) for path in {*self.durable, *self._pending}}
        path = self._below(call.path)
        assert path is not None
        apply(contents[path], self._offset_of(call), call.data[:length])
        return contents

    def left_by_chance(self, chance: random.Random) -> dict[str, bytearray]:
        """The contents if of what is not synced some writes got through, and some in part."""
        contents = {path: bytearray(data) for path, data in self.durable.items()}
        for path, changes in self._pending.items():
            content = contents.setdefault(path, bytearray())
            for offset, data in changes:
                kept = chance.choice((0, 1, chance.random()))
                if kept and data is not None:
                    apply(content, offset, data[: int(kept * len(data))])
        return contents

    def is_of(self, call: Call) -> bool:
        """Whether a call writes to one of the files."""
        return call.name in WRITES and self._below(call.path) is not None

    def _offset_of(self, call: Call) -> int:
        if call.name in ("pwrite64", "pwritev"):
            return int(call.arguments.rpartition(", ")[2], 0)
        return self._offsets.get(call.descriptor, 0)

    def _below(self, path: str) -> str | None:
        if path == str(self.folder):
            return "."
        prefix = f"{self.folder}/"
        return path.removeprefix(prefix) if path.startswith(prefix) else None

    def _open(self, call: Call) -> None:
        descriptor = call.result
        self._offsets[descriptor] = 0
        self._synchronous.discard(descriptor)
        path = self._below(call.names[0])
        if path is None or "O_DIRECTORY" in call.arguments:
            return
        if "O_DSYNC" in call.arguments or "O_SYNC" in call.arguments:
            self._synchronous.add(descriptor)
        if "O_CREAT" in call.arguments:
            self.durable.setdefault(path, bytearray())
        if "O_TRUNC" in call.arguments:
            self._write(descriptor, path, 0, None)
        if "O_APPEND" in call.arguments:
            self._offsets[descriptor] = len(self._current(path))

    def _name(self, call: Call) -> None:
        paths = [self._below(name) for name in call.names]
        if paths[0] is None:
            return
        if call.name.startswith("mkdir"):
            self.folders.add(paths[0])
        elif call.name.startswith("rename") and paths[1] is not None:
            source, target = paths[0], paths[1]
            for path in [p for p in self.durable if p == source or p.startswith(source + "/")]:
                self.durable[target + path[len(source) :]] = self.durable.pop(path)
                if path in self._pending:
                    self._pending[target + path[len(source) :]] = self._pending.pop(path)
            if source in self.folders:
                self.folders.remove(source)
                self.folders.add(target)
        else:
            self.durable.pop(paths[0], None)
            self._pending.pop(paths[0], None)
            self.folders.discard(paths[0])

    def _touch(self, call: Call, path: str) -> None:
        descriptor = call.descriptor
        if call.name == "lseek":
            self._offsets[descriptor] = call.result
        elif call.name == "ftruncate":
            self._write(descriptor, path, int(call.arguments.rpartition(", ")[2]), None)
        elif call.name in WRITES:
            offset = self._offset_of(call)
            self._write(descriptor, path, offset, call.data)
            if call.name in ("write", "writev"):
                self._offsets[descriptor] = offset + call.result
        elif call.name in SYNCS:
            for change in self._pending.pop(path, ()):
                apply(self.durable.setdefault(path, bytearray()), *change)

    def _write(self, descriptor: int, path: str, offset: int, data: bytes | None) -> None:
        if descriptor in self._synchronous:
            apply(self.durable.setdefault(path, bytearray()), offset, data)
        else:
            self._pending.setdefault(path, []).append((offset, data))

    def _current(self, path: str) -> bytearray:
        content = bytearray(self.durable.get(path, b""))
        for change in self._pending.get(path, ()):
            apply(content, *change)
        return content


def put_down(contents: Mapping[str, bytes | bytearray], target: Path) -> None:
    """Write files, by their paths below a folder."""
    for path, data in contents.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)


def apply(content: bytearray, offset: int, data: bytes | None) -> None:
    """Write at an offset, or with None make the offset the end."""
    end = offset if data is None else offset + len(data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if data is None:
        del content[offset:]
    else:
        content[offset:end] = data


def syncs(log: Path, folder: Path) -> list[float]:
    """When syncs of files below a folder were completed (O_DSYNC writes are not counted)."""
    prefix = f"{folder}/"
    return [c.returned for c in calls(log) if c.name in SYNCS and c.path.startswith(prefix)]


def replies(log: Path, client_port: int) -> list[float]:
    """When something was sent to a client, given its own port."""
    ending = f"->127.0.0.1:{client_port}]"
    return [c.entered for c in calls(log) if c.name in SENDS and c.path.endswith(ending)]
