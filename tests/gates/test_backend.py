"""The build backend, on a small project: what it leaves where not everything can be compiled."""

import os
import subprocess
import sys
import tarfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BACKEND = ROOT / ".build" / "backend.py"
PROJECT = """
[project]
name = "coord"
version = "0"

[tool.setuptools]
packages = ["coord"]

[tool.coord]
compiled = ["coord/one.py", "coord/two.py"]
"""
FAILING_COMPILER = """#!/bin/sh
# Compiles what is small, and fails as a compiler does that gets no more memory.
case "$*" in *__native_*) exit 1;; esac
exec cc "$@"
"""
SUFFIX = EXTENSION_SUFFIXES[0]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    pytest.importorskip("setuptools", minversion="77")
    (tmp_path / "coord").mkdir()
    (tmp_path / ".build").mkdir()
    (tmp_path / ".build" / "backend.py").write_text(BACKEND.read_text())
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for name in ("__init__", "one", "two"):
        (tmp_path / "coord" / f"{name}.py").write_text(f'"""{name}."""\nNAME: str = "{name}"\n')
    compiler = tmp_path / "cc"
    compiler.write_text(FAILING_COMPILER)
    compiler.chmod(0o755)
    return tmp_path


def build(project: Path, hook: str, **environment: str) -> Path:
    """Call a hook of the backend; what it made."""
    code = (
        "import sys; sys.path.insert(0, '.build'); import backend;"
        f"print(backend.{hook}(sys.argv[1]))"
    )
    made = project / "made"
    made.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(made)],
        cwd=project,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made / done.stdout.splitlines()[-1]


def compiled_in(project: Path) -> list[str]:
    return [path.name for path in project.rglob(f"*{SUFFIX}")]


def test_an_archive_of_the_sources_can_be_built_for_it_holds_the_backend(project: Path) -> None:
    with tarfile.open(build(project, "build_sdist")) as archive:
        assert "coord-0/.build/backend.py" in archive.getnames()


def test_where_one_module_cannot_be_compiled_none_is_left_to_be_imported(project: Path) -> None:
    build(project, "build_editable", CC=str(project / "cc"))
    assert compiled_in(project) == []
    assert not (project / "coord" / "compiled.json").exists()


def test_an_installation_without_compiling_removes_what_an_earlier_one_compiled(
    project: Path,
) -> None:
    for path in ("coord__mypyc", "coord/one", "coord/gone"):
        (project / f"{path}{SUFFIX}").write_bytes(b"of older sources")
    build(project, "build_editable", COORD_PURE="1")
    assert compiled_in(project) == []
