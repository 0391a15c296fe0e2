"""The examples in the documentation of the library: what there are, and what they are run in.

An example is a block of code in a docstring, or in the text below a name that is no class and no
function. Whoever documents a name shows how it is used; `test_documentation.py` runs what is shown.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import attrs

import client
import client.testing

MACHINERY = {
    "Answer": "Pending",
    "Cache": "follow",
    "Claim": "lose settle",
    "Held": "lose",
    "Lease": "lose renew stop",
    "ExportedSession": "resumable",
    "Member": "run stop",
    "Session": "end doubt_beside lose_holds",
    "Stat": "of read",
    "Timing": "plus",
    "Znode": "read",
    "Ensemble": "keep_running link_closed meet running",
}
"""What is public among the modules of the library, and not for its users."""

SHARED = "coord."
"""Where names are from that the library shares with the server: their documentation knows of no
client, so they are shown where they are used. What is "never sent" to a client need not be."""

HANDLED = {"MarshallingError", "RuntimeInconsistency", "SessionMoved"}
"""Errors of servers that no user meets, for the client deals with them."""

UNSEEN = ("never sent", "Never sent", "Between servers", "At the client")


@attrs.frozen
class Named:
    """A public name."""

    name: str
    """As users write it, without `client.`."""
    text: str
    """Its documentation."""
    examples: tuple[str, ...]
    """The code in it."""


def blocks(text: str) -> Iterator[str]:
    """Yield the code in a text: paragraphs that are indented, or that are no prose."""
    found: list[str] = []
    for paragraph in [*re.split(r"\n\s*\n", inspect.cleandoc(text)), ""]:
        plain = textwrap.dedent(paragraph)
        if paragraph and (paragraph.startswith("    ") or _is_code(plain)):
            found.append(plain)
        elif found:
            yield "\n\n".join(found)
            found.clear()


def _is_code(paragraph: str) -> bool:
    try:
        tree = compiled(paragraph, "a paragraph", only_ast=True)
    except SyntaxError:
        return False
    return any(not isinstance(each, ast.Name | ast.Constant) for each in ast.walk(tree.body[0]))


def compiled(code: str, name: str, *, only_ast: bool = False) -> Any:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | (ast.PyCF_ONLY_AST if only_ast else 0)
    return compile(code, name, "exec", flags)


def named(name: str, text: str | None) -> Named:
    return Named(name, text or "", tuple(blocks(text or "")))


def modules() -> Iterator[Named]:
    """Yield the modules of the library, for the examples in what they say of themselves."""
    for name in ("client", "client.errors", "client.config", "client.batch", "client.typed"):
        yield named(name, sys.modules[name].__doc__)
    for name in ("client.cache", "client.codec", "client.counts", "client.instruments"):
        yield named(name, sys.modules[name].__doc__)


def names() -> Iterator[Named]:
    """Yield what the library exports, each class followed by its own public methods."""
    for module in (client, client.testing):
        for name in module.__all__:
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                yield named(name, _text_below(name))
                continue
            yield named(name, value.__doc__)
            if inspect.isclass(value) and not issubclass(value, Exception):
                yield from _members(name, value)


def _members(name: str, cls: type) -> Iterator[Named]:
    hidden = MACHINERY.get(name, "").split()
    own = [cls] if cls is not client.Client else cls.__mro__[:-1]
    for member, value in ((m, v) for each in own for m, v in vars(each).items()):
        if member.startswith("_") or member in hidden or getattr(value, "__doc__", None) is None:
            continue
        if inspect.isroutine(value) or isinstance(value, property | classmethod):
            yield named(f"{name}.{member}", value.__doc__)


def _text_below(name: str) -> str | None:
    """Return what stands below the assignment that makes a name, wherever that is."""
    for module in _modules():
        tree = ast.parse(inspect.getsource(module))
        for made, below in zip(tree.body, tree.body[1:], strict=False):
            targets = made.targets if isinstance(made, ast.Assign) else []
            if [each.id for each in targets if isinstance(each, ast.Name)] == [name]:
                assert isinstance(below, ast.Expr)
                return str(ast.literal_eval(below.value))
    return None


def _modules() -> Iterator[ModuleType]:
    for name, module in sorted(sys.modules.items()):
        if name.startswith("client."):
            yield module


def is_shared(name: str) -> bool:
    module = getattr(getattr(client, name, None), "__module__", "")
    return module.startswith(SHARED)
