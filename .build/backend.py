"""Builds coord with setuptools, and compiles its hot modules with mypyc.

The compiled modules come from the same source. Where there is no C compiler, or it fails, or mypyc
refuses, the build goes on without any of them: everything works then, only slower. COORD_PURE=1
asks for that.

pyproject.toml names the modules under [tool.coord]. What they were compiled from is recorded beside
the package, so that a process can tell when the sources have changed since.
"""

import json
import os
import sys
import tomllib
import warnings
from hashlib import blake2b
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.build_meta import _BuildMetaBackend
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

# What builds files; the other commands only ask for the metadata.
BUILDING = {"bdist_wheel", "editable_wheel"}
OWN = ".build/backend.py"
RECORD = Path("coord/compiled.json")  # read by coord/cli/compiled.py
# What Python's own flags ask for takes longer on the generated code than to compile it.
NO_WARNINGS = ["-Wno-all", "-Wno-sign-compare"]


class Backend(_BuildMetaBackend):
    """The hooks of PEP 517 and PEP 660, without a setup.py."""

    def run_setup(self, setup_script: str = "setup.py") -> None:  # noqa: ARG002 - as declared
        """Run the command that stands in sys.argv."""
        if "editable_wheel" in sys.argv:
            remove_compiled()
        setup(
            ext_modules=extensions() if BUILDING & set(sys.argv) else [],
            cmdclass={"build_ext": AllOrNothing, "sdist": WithBackend},
        )

    def _get_build_requires(self, _settings: Any, requirements: list[str]) -> list[str]:
        return requirements


class AllOrNothing(build_ext):
    """Compiles all extensions, or none: each is useless without the library that all share."""

    def finalize_options(self) -> None:
        """Compile on all cores, unless told otherwise."""
        super().finalize_options()
        self.parallel = self.parallel or True

    def run(self) -> None:
        """Compile; a failure leaves nothing behind that would be imported."""
        inplace = self.inplace
        try:
            super().run()
        except Exception as failure:  # noqa: BLE001 - whatever it is, all works without
            warn(failure)
            self.inplace = 0
            for path in self.get_outputs():
                Path(path).unlink(missing_ok=True)
            RECORD.unlink(missing_ok=True)
            if inplace:
                remove_compiled()
            self.inplace = inplace
            self.extensions = []


class WithBackend(sdist):
    """An archive of the sources from which coord can be built again."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Add this module, which no rule of setuptools takes for a part of the project."""
        super().make_release_tree(base_dir, [*files, OWN])


def extensions() -> list[Extension]:
    """Return what is to be compiled; nothing where it cannot be."""
    RECORD.unlink(missing_ok=True)
    if os.environ.get("COORD_PURE"):
        return []
    tables = tomllib.loads(Path("pyproject.toml").read_text())
    patterns = tables["tool"]["coord"]["compiled"]
    modules = sorted(str(path) for pattern in patterns for path in Path().glob(pattern))
    sources = {module: blake2b(Path(module).read_bytes()).hexdigest() for module in modules}
    try:
        from mypyc.build import mypycify

        # Above level 1, C compilers take twice as long, and what they make is no faster.
        found = mypycify(modules, group_name="coord", opt_level="1", debug_level="0")
    except (Exception, SystemExit) as failure:  # noqa: BLE001 - whatever it is, all works without
        warn(failure)
        return []
    for extension in found:
        extension.extra_compile_args = [*extension.extra_compile_args, *NO_WARNINGS]
    RECORD.write_text(json.dumps(sources, indent=0))
    return found


def warn(failure: BaseException) -> None:
    """Say why there are no compiled modules."""
    warnings.warn(f"coord is built without compiled modules: {failure}", stacklevel=2)


def remove_compiled() -> None:
    """Remove what an earlier editable installation put beside the sources: it would be imported."""
    for suffix in EXTENSION_SUFFIXES:
        for path in (*Path().glob(f"*__mypyc{suffix}"), *Path("coord").rglob(f"*{suffix}")):
            path.unlink()


_backend = Backend()
build_wheel = _backend.build_wheel
build_sdist = _backend.build_sdist
build_editable = _backend.build_editable
prepare_metadata_for_build_wheel = _backend.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = _backend.prepare_metadata_for_build_editable
get_requires_for_build_wheel = _backend.get_requires_for_build_wheel
get_requires_for_build_editable = _backend.get_requires_for_build_editable
get_requires_for_build_sdist = _backend.get_requires_for_build_sdist
