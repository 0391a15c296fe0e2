"""Commands on permissions and identities, and how an ACL is written: `scheme:id:cdrwa,…`."""

import re
from collections.abc import Sequence
from typing import Any, Final

from client import Acl, Id, Permission
from coord.cli.shell.row import Given, UsageError
from coord.cli.shell.shell import Shell
from coord.cli.shell.subtree import descendants
from coord.cli.znode import stat_record, stat_text

LETTERS: Final = {
    "c": Permission.CREATE,
    "d": Permission.DELETE,
    "r": Permission.READ,
    "w": Permission.WRITE,
    "a": Permission.ADMIN,
}
_ENTRY: Final = re.compile(r"([^:,]+):(.*?):([^:,]*)(?:,|$)")
"""An id may hold colons and commas, as a digest and a certificate's name do."""


def parse_acl(text: str) -> tuple[Acl, ...]:
    """Return an ACL; UsageError when the text is none."""
    entries, end = [], 0
    while end < len(text):
        found = _ENTRY.match(text, end)
        if found is None or not found[3] or set(found[3]) - set(LETTERS):
            raise UsageError(f"an ACL is written scheme:id:cdrwa,…, not {text!r}")
        permissions = Permission(0)
        for letter in found[3]:
            permissions |= LETTERS[letter]
        entries.append(Acl(permissions, Id(found[1], found[2])))
        end = found.end()
    return tuple(entries)


def acl_text(acl: Acl) -> str:
    """Return an entry as `parse_acl` reads it."""
    return f"{acl.id.scheme}:{acl.id.id}:{_letters(acl)}"


async def get_acl(shell: Shell, given: Given) -> None:
    """Show the ACL of a znode, with -s its Stat."""
    path = given.words[0]
    acl, stat = await (await shell.zk()).get_acls(path)
    value: dict[str, Any] = {"path": path, "acl": _records(acl), "stat": stat_record(stat)}
    lines = [acl_text(each) for each in acl]
    shell.output.show(value, [*lines, *(stat_text(stat) if "s" in given.flags else ())])


async def set_acl(shell: Shell, given: Given) -> None:
    """Replace the ACL of a znode, with -R of all below it too."""
    path, text = given.words
    acl, version = parse_acl(text), given.number("v", -1)
    zk = await shell.zk()
    if "R" in given.flags:
        paths = [each async for each in descendants(zk, path)]
        for each in paths:
            await zk.set_acls(each, acl, version)
        shell.output.show({"paths": paths}, [])
        return
    stat = await zk.set_acls(path, acl, version)
    lines = stat_text(stat) if "s" in given.flags else ()
    shell.output.show({"path": path, "stat": stat_record(stat)}, lines)


async def add_auth(shell: Shell, given: Given) -> None:
    """Add an identity to the session."""
    scheme, credential = (*given.words, "")[:2]
    await (await shell.zk()).add_auth(scheme, credential)
    shell.output.show({"added": scheme}, [])


async def who_am_i(shell: Shell, _given: Given) -> None:
    """List the identities that the server knows of."""
    found = await (await shell.zk()).who_am_i()
    lines = ["Auth scheme: User", *(f"{scheme}: {name}" for scheme, name in found)]
    shell.output.show([{"scheme": scheme, "user": name} for scheme, name in found], lines)


def _records(acl: Sequence[Acl]) -> list[dict[str, str]]:
    return [
        {"scheme": each.id.scheme or "", "id": each.id.id or "", "permissions": _letters(each)}
        for each in acl
    ]


def _letters(acl: Acl) -> str:
    return "".join(letter for letter, bit in LETTERS.items() if acl.perms & bit)
