"""Run seeds: `python -m tests.simulation --seeds A:B` runs A to B - 1, one line each."""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.report import EXPECTED, failure_lines, table
from tests.simulation.run import Run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0:20", help="A:B runs the seeds A to B - 1")
    parser.add_argument("--trace", action="store_true", help="print what happens in each seed")
    parser.add_argument("--quiet", action="store_true", help="no line for a seed that holds")
    options = parser.parse_args()
    first, last = (int(part) for part in options.seeds.split(":"))
    counts: Counter[str] = Counter()
    failures: list[int] = []
    answered = 0
    begun = time.process_time()
    for seed in range(first, last):
        run = Run.of(seed, is_traced=options.trace)
        try:
            run.to_the_end()
        except Exception as error:  # noqa: BLE001 - whatever ends a seed is a failure of it
            failures.append(seed)
            print(f"seed {seed}: FAILED: {run}")
            print("\n".join(failure_lines(seed, error)), flush=True)
        else:
            if not options.quiet:
                print(f"seed {seed}: {run}", flush=True)
        if options.trace:
            print("\n".join(run.world.lines))
        answered += run.world.answered
        counts.update(run.world.counts)
        counts.update(run.world.network.sent)
        counts[f"system {run.plan.quorums.split()[0].partition('=')[0]}"] += 1
    seconds = time.process_time() - begun
    print("\n".join(table(counts)))
    zero = [name for name in EXPECTED if not counts[name]]
    print(
        f"{last - first} seeds, {len(failures)} failed{failures or ''}, {answered} client "
        f"operations in {seconds:.0f} s of CPU ({answered / max(seconds, 0.001):.0f}/s), "
        f"counts of zero: {', '.join(zero) or 'none'}"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
