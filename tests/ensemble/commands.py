"""Runs the command `coord` from this checkout."""

import io
import os
import resource
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from coord.cli.main import main
from tests.ensemble.processes import PORTS, is_reserved

ROOT = Path(__file__).resolve().parents[2]
PEER_PORT_OFFSET = 707
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def coord(*arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run `coord ARGUMENTS`; its output and status."""
    return subprocess.run(
        [sys.executable, "-m", "coord", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def coord_here(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, which takes a tenth of the time."""
    said, complained = (
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)
    )
    with redirect_stdout(said), redirect_stderr(complained), pytest.raises(SystemExit) as ended:
        main(arguments, prog_name="coord")
    status = ended.value.code
    assert isinstance(status, int)
    texts = (stream.buffer.getvalue().decode() for stream in (said, complained))
    return subprocess.CompletedProcess(arguments, status, *texts)


def start_coord(
    *arguments: str, file_bytes_max: int | None = None, files_max: int | None = None
) -> subprocess.Popen[str]:
    """Start `coord ARGUMENTS` in the background, with limits on its files if need be."""

    def limit() -> None:
        for kind, most in (
            (resource.RLIMIT_FSIZE, file_bytes_max),
            (resource.RLIMIT_NOFILE, files_max),
        ):
            if most is not None:
                resource.setrlimit(kind, (most, most))

    return subprocess.Popen(
        [sys.executable, "-m", "coord", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=limit,
    )


def dev_port(replicas: int = 3) -> int:
    """A port for `coord dev --port`: it and its neighbours are reserved, and those of the peers."""
    for first in range(PORTS.start, PORTS.stop - PEER_PORT_OFFSET - replicas, replicas):
        ports = range(first, first + replicas)
        if all(is_reserved(port) and is_reserved(port + PEER_PORT_OFFSET) for port in ports):
            return first
    raise RuntimeError(f"no free ports in {PORTS}")
