"""The search: all states of an ensemble, those first which are reached in the fewest steps.

A state is one integer: the number of a moment for each replica, side by side.
"""

import time
from collections.abc import Iterator

import attrs

from coord.quorums import parse
from tests.exploration.bounds import Bounds, remaining
from tests.exploration.facts import Facts, broken_rule
from tests.exploration.founding import founded, started
from tests.exploration.moments import Means, Moment, Moments
from tests.exploration.stencil import record

BITS = 24
"""Of a state, for each replica."""
MASK = (1 << BITS) - 1

Steps = tuple[tuple[int, ...], tuple[int, ...]]
"""What to add to a state: steps that change no Facts, and those that do."""


@attrs.frozen(kw_only=True)
class Found:
    """What a search has found."""

    states: int
    """So many different ones were reached; all hold the rules unless `rule` names one."""
    moments: int
    """So many different ones single replicas were in."""
    epochs: int
    """In so many somebody led, the founder's included."""
    committed: int
    """The longest log of which all is committed."""
    depth: int
    """All states up to so many steps were reached."""
    is_complete: bool
    """There are no others within the bounds."""
    seconds: float
    """CPU time."""
    rule: str = ""
    """The rule that is broken; "" for none."""
    trace: tuple[str, ...] = ()
    """The fewest steps to where it is."""

    def __str__(self) -> str:
        if self.rule:
            return f"BROKEN after {len(self.trace)} steps: {self.rule} ({self.states:,} states)"
        end = f"depth {self.depth}"
        kind = "fixpoint" if self.is_complete else f"bounded at {end}"
        size = f"{self.states:,} states" + (f", {end}," if self.is_complete else "")
        rate = self.states / max(self.seconds, 0.001)
        return (
            f"{kind}: {size} in {self.seconds:.0f} s of CPU ({rate:,.0f}/s); {self.moments:,} "
            f"moments of replicas, leaders in {self.epochs} epochs, {self.committed} committed"
        )


class Search:
    """All states of one ensemble within bounds."""

    def __init__(
        self, quorums: str, count: int, bounds: Bounds, *, is_founded: bool = True
    ) -> None:
        self.bounds = bounds
        self.count = count
        self.system = parse(quorums, range(1, count + 1))
        self._moments = [Moments(count) for _ in range(count)]
        replicas = founded(quorums, count) if is_founded else started(quorums, count)
        firsts = [m.first(r) for m, r in zip(self._moments, replicas, strict=True)]
        self._first = sum(number << BITS * place for place, number in enumerate(firsts))
        self._parents = {self._first: self._first}
        self._holding: set[tuple[int, ...]] = set()
        self._heard: list[dict[tuple[int, int, bool], Steps]] = [{} for _ in range(count)]
        self._acted: list[dict[tuple[int, int], Steps]] = [{} for _ in range(count)]
        self._means: dict[tuple[int, int, int], tuple[int, Means]] = {}
        self._depth = 0

    def run(self, seconds: float, states_max: int = 20_000_000) -> Found:
        """Search for so much CPU time, or until so many states, of about 150 bytes, were found."""
        begun = time.process_time()
        frontier = [self._first]
        is_over = False
        while frontier and not is_over:
            found: list[int] = []
            for count, state in enumerate(frontier):
                broken = self._expand(state, found)
                if broken is not None:
                    return self._report(begun, is_complete=False, broken=broken)
                if not count & 0xFF:
                    is_over = (
                        time.process_time() - begun > seconds or len(self._parents) > states_max
                    )
                    if is_over:
                        break
            else:
                self._depth += 1 if found else 0
                frontier = found
        return self._report(begun, is_complete=not frontier)

    def _expand(self, state: int, found: list[int]) -> int | None:
        """Add the states that follow; return one where a rule is broken."""
        parents = self._parents
        for silent, loud in self._steps(state):
            for step in silent:
                after = state + step
                if after not in parents:
                    parents[after] = state
                    found.append(after)
            for step in loud:
                after = state + step
                if after not in parents:
                    parents[after] = state
                    found.append(after)
                    if self._broken(after):
                        return after
        return None

    def _steps(self, state: int) -> Iterator[Steps]:
        numbers = self._split(state)
        moments = [m.all[number] for m, number in zip(self._moments, numbers, strict=True)]
        key, means = self._means_of(moments)
        is_prompt = means.is_prompt
        for place, own in enumerate(numbers):
            acted = self._acted[place]
            steps = acted.get((own, key))
            if steps is None:
                reached = self._moments[place].act(own, means)
                steps = acted[own, key] = self._sorted(place, own, reached)
            yield steps
            heard = self._heard[place]
            for other, moment in enumerate(moments):
                if other == place:
                    continue
                box = moment.boxes[place + 1]
                steps = heard.get((own, box, is_prompt))
                if steps is None:
                    reached = self._moments[place].hear(own, box, is_prompt=is_prompt)
                    steps = heard[own, box, is_prompt] = self._sorted(place, own, reached)
                yield steps

    def _sorted(self, place: int, own: int, reached: tuple[int, ...]) -> Steps:
        moments = self._moments[place].all
        facts = moments[own].facts
        steps = [((n - own) << BITS * place, moments[n].facts != facts) for n in reached]
        return (
            tuple(step for step, is_loud in steps if not is_loud),
            tuple(step for step, is_loud in steps if is_loud),
        )

    def _means_of(self, moments: list[Moment]) -> tuple[int, Means]:
        spent = sum([moment.spent for moment in moments])
        highest = max([moment.promised for moment in moments])
        committed = max([moment.committed for moment in moments]) if self.bounds.reads else 0
        found = self._means.get((spent, highest, committed))
        if found is None:
            flags = remaining(self.bounds, spent)
            means = Means(*flags, highest=highest, committed=committed)
            found = self._means[spent, highest, committed] = (len(self._means), means)
        return found

    def _split(self, state: int) -> list[int]:
        return [state >> BITS * place & MASK for place in range(self.count)]

    def _broken(self, state: int) -> str:
        numbers = tuple(
            [m.all[n].facts for m, n in zip(self._moments, self._split(state), strict=True)]
        )
        if numbers in self._holding:
            return ""
        facts: list[Facts] = [record(number) for number in numbers]
        rule = broken_rule(facts, self.system)
        if not rule:
            self._holding.add(numbers)
        return rule

    def _report(self, begun: float, *, is_complete: bool, broken: int | None = None) -> Found:
        met = [record(moment.facts) for moments in self._moments for moment in moments.all]
        return Found(
            states=len(self._parents),
            moments=sum(len(m.all) for m in self._moments),
            epochs=len({facts.leads for facts in met if facts.leads}),
            committed=max(len(facts.decided) for facts in met),
            depth=self._depth,
            is_complete=is_complete,
            seconds=time.process_time() - begun,
            rule="" if broken is None else self._broken(broken),
            trace=() if broken is None else self._trace(broken),
        )

    def _trace(self, state: int) -> tuple[str, ...]:
        lines: list[str] = []
        while state != self._first:
            before = self._parents[state]
            pairs = zip(self._moments, self._split(before), self._split(state), strict=True)
            for number, (moments, one, other) in enumerate(pairs, 1):
                if one != other:
                    lines.append(f"{number} {moments.label(one, other)}")
            state = before
        return tuple(reversed(lines))
