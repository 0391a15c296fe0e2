"""Compiled modules that are not of the sources beside them are found."""

import json
from hashlib import blake2b
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from coord.cli.compiled import outdated

SUFFIX = EXTENSION_SUFFIXES[0]


def test_a_compiled_module_whose_source_changed_or_went_is_outdated(tmp_path: Path) -> None:
    package = tmp_path / "coord"
    package.mkdir()
    digest = blake2b(b"as compiled").hexdigest()
    names = ("same", "changed", "gone")
    (package / "compiled.json").write_text(json.dumps({f"coord/{n}.py": digest for n in names}))
    for name, text in (("same", b"as compiled"), ("changed", b"else"), ("pure", b"else")):
        (package / f"{name}.py").write_bytes(text)
    for name in (*names, "unrecorded"):
        (package / f"{name}{SUFFIX}").write_bytes(b"")
    assert outdated(package) == ["coord/changed.py", "coord/gone.py", "coord/unrecorded.py"]
