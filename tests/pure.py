"""Makes this process run coord's sources, even where compiled modules stand beside them.

What the tests see is then what stands in the files; and a known bug can be put into a function,
which a compiled one does not permit. That the compiled modules do the same is shown by
`tests/gates/test_compiled.py`; real processes run them wherever they are installed.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType


class Sources:
    """Finds the modules of coord, in their sources only."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Part of the protocol of `sys.meta_path`."""
        if path is None or not name.startswith("coord."):
            return None
        return FileFinder(path[0], (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)


def run_sources() -> None:
    """Do so from now on; before anything of coord is imported."""
    assert not any(name.startswith("coord.") for name in sys.modules)
    sys.meta_path.insert(0, Sources())
