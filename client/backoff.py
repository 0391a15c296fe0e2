"""Pauses between attempts: longer each time, and no two clients in step."""

import random
from collections.abc import Iterator

import attrs
from attrs.validators import ge, gt


@attrs.frozen
class Backoff:
    """How long to wait before each further attempt.

        await zk.run_leader("/svc", serve, restart=Backoff(first=0.5, longest=60))

    `Backoff(first=0.5, longest=60)` waits about 0.5 s, 1 s, 2 s, ... up to a minute.
    """

    first: float = attrs.field(default=0.1, validator=gt(0))
    """The first pause at most, in seconds."""
    longest: float = attrs.field(default=30.0, validator=gt(0))
    """The longest pause at most, in seconds."""
    factor: float = attrs.field(default=2.0, validator=ge(1))
    """By how much each pause is longer than the one before."""
    times: int | None = attrs.field(default=None, validator=attrs.validators.optional(ge(0)))
    """After how many pauses to give up; None: never."""

    def pauses(self) -> Iterator[float]:
        """Yield the pauses in seconds, each between half of what it may be and all of it.

        for pause in Backoff(times=3).pauses():
            await trio.sleep(pause)
        """
        number = 0
        most = self.first
        while self.times is None or number < self.times:
            yield min(most, self.longest) * random.uniform(0.5, 1)
            most = min(most * self.factor, self.longest)
            number += 1
