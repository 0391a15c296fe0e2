"""`python -m benchmarks NAME [OPTIONS]` runs `benchmarks/NAME.py`."""

import importlib
import pkgutil
import sys

import benchmarks


def names() -> list[str]:
    """List the benchmarks: the modules with a `main`."""
    found = []
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name != "__main__":
            loaded = importlib.import_module(f"benchmarks.{module.name}")
            if hasattr(loaded, "main"):
                found.append(module.name)
    return sorted(found)


def main(arguments: list[str]) -> int:
    """Run one benchmark with the rest of the command line; its status is ours."""
    if not arguments or arguments[0] not in names():
        print("usage: python -m benchmarks NAME [OPTIONS]\nnames: " + " ".join(names()))
        return 2
    module = importlib.import_module(f"benchmarks.{arguments[0]}")
    status: int | None = module.main(arguments[1:])
    return status or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
