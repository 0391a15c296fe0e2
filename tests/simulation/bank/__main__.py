"""Hunt every bug of the bank: `python -m tests.simulation.bank [--bugs NAME ...]`."""

import argparse
import sys

from tests.simulation.bank.hunt import BANK, hunt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.bank", description=__doc__)
    parser.add_argument("--seeds", default="0:500", help="A:B tries the seeds A to B - 1")
    parser.add_argument("--seconds", type=float, default=120.0, help="CPU time for each bug")
    parser.add_argument("--bugs", nargs="*", default=None, help="names of bugs; all when left out")
    options = parser.parse_args()
    first, last = (int(part) for part in options.seeds.split(":"))
    missed = []
    wanted = [bug for bug in BANK if options.bugs is None or bug.__name__ in options.bugs]
    for bug in wanted:
        found = hunt(bug, range(first, last), options.seconds)
        if found is None:
            missed.append(bug.__name__)
            print(f"{bug.__name__:<48} NOT FOUND", flush=True)
        else:
            where = f"seed {found.seed:>4}, {found.seconds:5.1f} s"
            print(f"{bug.__name__:<48} {where}: {found.what[:110]}", flush=True)
    print(f"{len(wanted)} bugs, {len(missed)} not found: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
