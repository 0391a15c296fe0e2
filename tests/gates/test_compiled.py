"""The compiled modules: of this very source, and as good as it."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from coord.cli.compiled import outdated

ROOT = Path(__file__).resolve().parents[2]
TESTS_OF_COMPILED = (
    *(f"tests/{name}" for name in ("state", "operations", "storage", "replica", "tasks")),
    "tests/consensus/test_chaos.py",  # whole lives; the others take half a minute
    # Of the look at pages and of transfers, which are not compiled:
    *(f"--ignore=tests/storage/test_{name}.py" for name in ("flips", "scrub", "snapshots")),
    # They put a clock into functions, which compiled ones do not permit, or wait for the kernel:
    *(f"--ignore=tests/tasks/test_{name}.py" for name in ("replica_loop", "entrances")),
)


def compiled_sources() -> list[Path]:
    """The modules that pyproject.toml wants compiled."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = tables["tool"]["coord"]["compiled"]
    found = [sorted(ROOT.glob(pattern)) for pattern in patterns]
    assert all(found), f"patterns that match nothing: {patterns}"
    return [path for paths in found for path in paths]


def extension_of(source: Path) -> Path | None:
    """The compiled form beside a source."""
    paths = (source.with_suffix(suffix) for suffix in EXTENSION_SUFFIXES)
    return next((path for path in paths if path.exists()), None)


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if not any(extension_of(source) for source in compiled_sources()):
        if shutil.which("cc") and not os.environ.get("COORD_PURE"):
            pytest.fail("not compiled, though there is a C compiler: pip install -e '.[dev]'")
        pytest.skip("no C compiler here: nothing was compiled, the sources run")


def test_every_module_is_compiled_from_its_present_source() -> None:
    """Else replicas would run what stands in no file."""
    names = [str(source.relative_to(ROOT)) for source in compiled_sources()]
    missing = [name for name in names if extension_of(ROOT / name) is None]
    stale = sorted({*missing, *outdated()})
    assert not stale, f"compile again with `pip install -e '.[dev]'`: {', '.join(stale)}"


def test_the_compiled_modules_pass_the_tests_of_their_sources() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", *TESTS_OF_COMPILED],
        cwd=ROOT,
        env={**os.environ, "COORD_TEST_COMPILED": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def test_that_run_is_one_of_compiled_modules() -> None:
    code = "import coord.state.tree as tree; print(tree.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(tuple(EXTENSION_SUFFIXES))
