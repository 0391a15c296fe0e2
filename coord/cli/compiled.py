"""The compiled modules beside the sources: whether they were made from these very sources.

Python imports a compiled module in place of its source. After a change to the source (a `git pull`
that no installation follows) a process would run old modules among new ones, and nobody would know.
"""

import json
from hashlib import blake2b
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

import coord

PACKAGE: Final = Path(coord.__file__).resolve().parent
RECORD: Final = "compiled.json"
"""By source (coord/...): the BLAKE2b digest of what was compiled; the build wrote it."""


def outdated(package: Path = PACKAGE) -> list[str]:
    """Return the modules whose compiled form is not that of the source beside it."""
    record = package / RECORD
    digests = json.loads(record.read_text()) if record.exists() else {}
    found = []
    for path in sorted(package.rglob("*")):
        name, dot, suffix = path.name.partition(".")
        if dot + suffix in EXTENSION_SUFFIXES:
            source = path.with_name(f"{name}.py")
            text = source.read_bytes() if source.exists() else b""
            module = source.relative_to(package.parent).as_posix()
            if blake2b(text).hexdigest() != digests.get(module):
                found.append(module)
    return found
