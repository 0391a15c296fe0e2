"""Builds coord with setuptools, and compiles its hot modules with mypyc.

The compiled modules come from the same source. Where there is no C compiler, or mypyc refuses, the
build goes on without them: everything works then, only slower. COORD_PURE=1 asks for that.

pyproject.toml names the modules under [tool.coord].
"""

import os
import sys
import tomllib
import warnings
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.build_meta import _BuildMetaBackend

# What builds files; the other commands only ask for the metadata.
BUILDING = {"bdist_wheel", "editable_wheel"}


class Backend(_BuildMetaBackend):
    """The hooks of PEP 517 and PEP 660, without a setup.py."""

    def run_setup(self, setup_script: str = "setup.py") -> None:  # noqa: ARG002 - as declared
        """Run the command that stands in sys.argv."""
        setup(ext_modules=extensions() if BUILDING & set(sys.argv) else [])

    def _get_build_requires(self, _settings: Any, requirements: list[str]) -> list[str]:
        return requirements


def extensions() -> list[Extension]:
    """Return what is to be compiled; nothing where it cannot be."""
    if os.environ.get("COORD_PURE"):
        return []
    tables = tomllib.loads(Path("pyproject.toml").read_text())
    patterns = tables["tool"]["coord"]["compiled"]
    modules = sorted(str(path) for pattern in patterns for path in Path().glob(pattern))
    try:
        from mypyc.build import mypycify

        found = mypycify(modules, group_name="coord", opt_level="3", debug_level="0")
    except (Exception, SystemExit) as failure:  # noqa: BLE001 - whatever it is, all works without
        warnings.warn(f"coord is built without compiled modules: {failure}", stacklevel=1)
        return []
    for extension in found:
        extension.optional = True  # without a C compiler too
    return found


_backend = Backend()
build_wheel = _backend.build_wheel
build_sdist = _backend.build_sdist
build_editable = _backend.build_editable
prepare_metadata_for_build_wheel = _backend.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = _backend.prepare_metadata_for_build_editable
get_requires_for_build_wheel = _backend.get_requires_for_build_wheel
get_requires_for_build_editable = _backend.get_requires_for_build_editable
get_requires_for_build_sdist = _backend.get_requires_for_build_sdist
