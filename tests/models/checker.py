"""Runs a Promela model through spin: translated, compiled and searched in a temporary folder."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import attrs

LACKING = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
ABSENT = "".join(
    f"no model checker: {tool} is not installed (apt-get install {tool})" for tool in LACKING[:1]
)
"""Why nothing can be searched here; empty when it can."""

STEPS_MAX = 1000
"""Longer than any run of the models here; a search that comes this far says so."""
MEMORY_MB = 6000


class ModelError(Exception):
    """A tool refused the model, or the search ran out of memory; the text is the tool's."""


@attrs.frozen
class Search:
    """What a search found."""

    states: int
    depth: int
    """Steps of the longest run without a state met before; those that set up are among them."""
    seconds: float
    """Of the search alone."""
    is_complete: bool
    """Every state was visited."""
    broken: int | None
    """The number of the first invariant that was found broken, 0 for any other assertion."""
    trace: str
    """The steps that break it, one a line."""


def search(model: Path, macros: Mapping[str, str], is_long: bool = False) -> Search:
    """Search all states of a model until the first fault.

    A long search is worth compiling well for, and storing states small. Raises ModelError.
    """
    defined = [f"-D{name}={value}" if value else f"-D{name}" for name, value in macros.items()]
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        _run(folder, "spin", *defined, "-a", str(model))
        modes = ["-O2", "-DCOLLAPSE"] if is_long else ["-O0"]
        modes += ["-w", "-DSAFETY", "-DNOREDUCE", f"-DMEMLIM={MEMORY_MB}"]
        _run(folder, "gcc", *modes, "-o", "pan", "pan.c")
        report = _run(folder, "./pan", f"-m{STEPS_MAX}", "-w24" if is_long else "-w20")
        found = re.search(r"assertion violated (.*) \(at depth", report)
        trace = ""
        if found:
            trail = f"{model.name}.trail"
            replay = _run(folder, "spin", *defined, "-T", "-t", "-k", trail, str(model))
            trace = replay.partition("spin: trail ends")[0]
    return _read(report, found.group(1) if found else None, trace)


def _read(report: str, assertion: str | None, trace: str) -> Search:
    errors = _number(r"errors: (\d+)", report)
    if errors and assertion is None:
        raise ModelError(report)
    number = re.match(r"\(+(\d)&&", assertion or "")
    broken = None if assertion is None else int(number.group(1)) if number else 0
    return Search(
        states=int(_number(r"([\d.e+]+) states, stored", report)),
        depth=int(_number(r"depth reached (\d+)", report)),
        seconds=_number(r"elapsed time ([\d.e+-]+)", report),
        is_complete=not errors and "not completed" not in report and "too small" not in report,
        broken=broken,
        trace=trace,
    )


def _number(pattern: str, report: str) -> float:
    found = re.search(pattern, report)
    if found is None:
        raise ModelError(report)
    return float(found.group(1))


def _run(folder: str, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if done.returncode:
        raise ModelError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout
