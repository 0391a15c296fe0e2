"""Reach all states of a small ensemble, or as many as there is time for.

`python -m tests.exploration --quorums "simple L=2 R=2" --replicas 3 --seconds 600`; without
`--quorums`, four systems one after the other, each for so long. `--variant NAME` puts a known bug
in, and what is printed is the shortest way to what it breaks. The exit status is 1 when a rule is
broken.
"""

import argparse
import sys

import attrs

from tests.pure import run_sources

run_sources()

from tests.exploration.bounds import Bounds  # noqa: E402
from tests.exploration.search import Found, Search  # noqa: E402
from tests.exploration.variants import VARIANTS, with_variant  # noqa: E402

SYSTEMS = (
    (3, "simple L=2 R=2"),
    (3, "simple L=3 R=1"),
    (3, "simple L=1 R=3"),
    (4, "grid [[1,2],[3,4]]"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.exploration", description=__doc__)
    parser.add_argument("--quorums", help="the text form of a quorum system")
    parser.add_argument("--replicas", type=int, default=3, help="beside --quorums")
    parser.add_argument("--seconds", type=float, default=600.0, help="CPU time for each system")
    parser.add_argument("--states", type=int, default=20_000_000, help="at most so many")
    parser.add_argument("--empty", action="store_true", help="begin before the founding")
    parser.add_argument("--variant", choices=sorted(VARIANTS), help="a known bug to put in")
    for bound in attrs.fields(Bounds):
        parser.add_argument(f"--{bound.name}", type=int, default=bound.default)
    options = parser.parse_args()
    bounds = Bounds(**{bound.name: getattr(options, bound.name) for bound in attrs.fields(Bounds)})
    systems = [(options.replicas, options.quorums)] if options.quorums else SYSTEMS
    is_broken = False
    for replicas, quorums in systems:
        search = Search(quorums, replicas, bounds, is_founded=not options.empty)
        found = run(search, options)
        for step, line in enumerate(found.trace, 1):
            print(f"{step:3} {line}")
        print(f"{replicas} replicas, {quorums}, {bounds}: {found}", flush=True)
        is_broken = is_broken or bool(found.rule)
    return 1 if is_broken else 0


def run(search: Search, options: argparse.Namespace) -> Found:
    if options.variant is None:
        return search.run(options.seconds, options.states)
    with with_variant(options.variant):
        return search.run(options.seconds, options.states)


if __name__ == "__main__":
    sys.exit(main())
