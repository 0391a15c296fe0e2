"""Search the models at length: `python -m tests.models` prints a line for each search.

With `--quick` only what the tests search as well.
"""

import argparse
import sys
from pathlib import Path

from tests.models.checker import ABSENT, Search, search
from tests.models.configurations import BROKEN, CLEAN, CLEAN_AT_LENGTH

BROADCAST = Path(__file__).with_name("broadcast.pml")


def line(name: str, found: Search) -> str:
    if found.broken is not None:
        verdict = f"breaks I{found.broken}"
    else:
        verdict = "holds" if found.is_complete else "holds as far as searched: BOUNDED"
    figures = f"{found.states:>10,} states {found.depth:>4} deep {found.seconds:>6.1f} s"
    return f"{figures}  {verdict:10}  {name}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.models", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--traces", action="store_true", help="print how each fault comes about")
    options = parser.parse_args()
    if ABSENT:
        print(ABSENT)
        return 0
    surprises = 0
    for configuration in CLEAN if options.quick else CLEAN_AT_LENGTH:
        found = search(BROADCAST, configuration.macros, is_long=not options.quick)
        surprises += found.broken is not None or not found.is_complete
        print(line(str(configuration), found), flush=True)
        print(found.trace, end="", flush=True)
    for fault in BROKEN:
        found = search(BROADCAST, fault.configuration.macros)
        surprises += found.broken != fault.breaks
        print(line(f"{fault.name}: {fault.configuration}", found), flush=True)
        if options.traces:
            print(found.trace)
    print("all as expected" if not surprises else f"{surprises} not as expected")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
