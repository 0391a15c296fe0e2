"""The rules of the code itself: what the tools and the style page ask for, run as tests."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path for folder in ("coord", "client", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
NAMES_REFUSED = {"util", "utils", "helpers", "helper", "common", "misc", "base", "manager", "core"}
TOP_LEVEL = {"pyproject.toml", "README.md", "coord", "client", "tests", "benchmarks"}


def run_tool(*command: str) -> None:
    """Run a checker as `python -m`; its output is the failure's message."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run_tool("ruff", "check", "--no-cache", ".")


def test_the_code_is_formatted() -> None:
    run_tool("ruff", "format", "--no-cache", "--check", ".")


def test_mypy_strict_finds_nothing() -> None:
    run_tool("mypy")


def test_the_import_rules_hold() -> None:
    code = (
        "import sys; sys.path.insert(0, '.');"
        "from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_client_imports_without_the_server_and_its_database() -> None:
    code = (
        "import sys; sys.path.insert(0, '.'); import client;"
        "bad = [name for name in sys.modules if name == 'lmdb' or name.startswith('coord.')"
        " and name.split('.')[1] not in ('jute', 'wire')]; sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_short_and_so_are_its_functions(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MODULE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            skipped = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            length = (node.end_lineno or 0) - node.lineno + 1 - skipped
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_a_docstring_and_a_noun_for_a_name(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert path.stem not in NAMES_REFUSED


def test_nothing_is_left_to_do_in_the_code() -> None:
    mark = re.compile("TO" + "DO|FIX" + "ME|XX" + "X")
    assert [path for path in SOURCES + TESTS if mark.search(path.read_text())] == []


def test_tests_do_not_sleep_outside_of_real_ensembles() -> None:
    pattern = re.compile(r"\btime\.sleep\(")
    guilty = [
        path
        for path in TESTS
        if "ensemble" not in path.parts and "gates" not in path.parts
        if pattern.search(path.read_text())
    ]
    assert guilty == []


def test_the_top_level_holds_the_named_things_only() -> None:
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = {name for name in listed.stdout.split() if not name.startswith(".")}
    assert names <= TOP_LEVEL
