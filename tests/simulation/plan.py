"""What a seed makes of a run: the ensemble, the clients, and how bad the world is."""

import random
from collections.abc import Callable

import attrs

from coord.consensus.settings import Limits
from coord.quorums import QuorumError, parse

SMALL = Limits(message=1500, window=4000, tail=2500, uncommitted=20_000, history=6000, apply=4000)
"""So small that every bound is met in a run of seconds."""

SIZES = (1, 2, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7)
"""Voters; the common ones come often."""


def _majority(_rng: random.Random, _count: int) -> str:
    return "majority"


def _even(_rng: random.Random, _count: int) -> str:
    return "majority even"


def _simple(rng: random.Random, count: int) -> str:
    replication = rng.randint(1, count)
    election = rng.randint(count - replication + 1, count)
    return f"simple L={election} R={replication}"


def _weighted(rng: random.Random, count: int) -> str:
    weights = [rng.randint(1, 3) for _ in range(count)]
    share = rng.randint(1, sum(weights))
    return " ".join(
        ["weighted", *(f"{n}={w}" for n, w in enumerate(weights, 1)), f"R={share}"],
    )


def _groups(count: int, size: int) -> list[list[int]]:
    return [list(range(first, first + size)) for first in range(1, count + 1, size)]


def _hierarchical(_rng: random.Random, count: int) -> str:
    groups = _groups(count, 2 if count % 2 == 0 else count)
    return " ".join(["hierarchical", *(str(group).replace(" ", "") for group in groups)])


def _grid(_rng: random.Random, count: int) -> str:
    return f"grid {str(_groups(count, max(1, count // 2))).replace(' ', '')}"


def _explicit(_rng: random.Random, count: int) -> str:
    half = count // 2
    sides = (range(1, half + 1), range(half + 1, count + 1))
    return "replication=" + "*".join(f"({'+'.join(map(str, side))})" for side in sides)


KINDS: tuple[Callable[[random.Random, int], str], ...] = (
    _majority,
    _simple,
    _simple,
    _even,
    _weighted,
    _hierarchical,
    _grid,
    _explicit,
)
"""Makers of quorum systems in their text form; those that do not fit a size are drawn again."""


def draw_quorums(rng: random.Random, count: int) -> str:
    """Draw a quorum system over voters 1..count, in its text form."""
    while True:
        text = rng.choice(KINDS)(rng, count)
        try:
            parse(text, range(1, count + 1))
        except QuorumError:
            continue
        return text


@attrs.frozen
class Faults:
    """How unkind the world is; shares are of 1, intervals are means in ms, and 0 means never."""

    loss: float = 0.0
    """Share of messages between replicas that are lost."""
    duplicates: float = 0.0
    """Share that comes twice, the second time late."""
    stragglers: float = 0.0
    """Share that is overtaken by those behind."""
    delay_us: int = 500
    """Mean way of a message."""
    disk_us: int = 500
    """Mean time of a durable write."""
    crash_in_effects: float = 0.0
    """Chance of a crash at each boundary between two effects."""
    crash: int = 0
    bounce: int = 0
    cut: int = 0
    clog: int = 0
    unlink: int = 0
    mutiny: int = 0
    pause: int = 0
    slow_disk: int = 0
    full_disk: int = 0
    wipe: int = 0
    rot: int = 0
    misdirect: int = 0
    resign: int = 0
    wall_jump: int = 0
    client_cut: int = 0
    client_death: int = 0


@attrs.frozen
class Plan:
    """One run."""

    seed: int
    voters: int
    observers: int
    quorums: str
    heartbeat_ms: int
    election_ms: int
    tick_ms: int
    limits: Limits
    clients: int
    burst: int
    """Most requests that a client sends at once."""
    think_us: int
    """Mean pause between a client's bursts."""
    operations: int
    """Answered client operations after which the faults end."""
    faulty_ms: int
    """The faults last at least this long, and thrice that at most."""
    flush_every: int
    """Entries applied between two flushes of a tree."""
    log_kept: int
    """Entries kept in a log below the newest, for those who are behind."""
    faults: Faults

    @property
    def replicas(self) -> range:
        """The ids of all replicas; the observers come last."""
        return range(1, self.voters + self.observers + 1)


def _some(rng: random.Random, share: float, *means_ms: int) -> int:
    """Draw an interval, or never."""
    return rng.choice(means_ms) if rng.random() < share else 0


def draw_faults(rng: random.Random) -> Faults:
    """Draw a world; each kind of fault is quite absent in many."""
    return Faults(
        loss=rng.choice((0.0, 0.0, 0.01, 0.05, 0.2)),
        duplicates=rng.choice((0.0, 0.05, 0.3)),
        stragglers=rng.choice((0.0, 0.0, 0.02, 0.1)),
        delay_us=rng.choice((200, 500, 1500, 5000)),
        disk_us=rng.choice((100, 500, 2000, 6000)),
        crash_in_effects=rng.choice((0.0, 0.0, 0.0003, 0.001, 0.004)),
        crash=_some(rng, 0.5, 400, 1000, 2500),
        bounce=_some(rng, 0.4, 500, 1500),
        cut=_some(rng, 0.5, 400, 1000, 2000),
        clog=_some(rng, 0.4, 300, 1000),
        unlink=_some(rng, 0.4, 200, 800),
        mutiny=_some(rng, 0.4, 150, 500, 1500),
        pause=_some(rng, 0.4, 300, 1000),
        slow_disk=_some(rng, 0.3, 500, 1500),
        full_disk=_some(rng, 0.2, 800, 2000),
        wipe=_some(rng, 0.3, 600, 1500),
        rot=_some(rng, 0.3, 500, 1500),
        misdirect=_some(rng, 0.2, 700, 1500),
        resign=_some(rng, 0.3, 600, 1500),
        wall_jump=_some(rng, 0.3, 500, 1500),
        client_cut=_some(rng, 0.6, 150, 600),
        client_death=_some(rng, 0.4, 800, 2000),
    )


def draw_plan(seed: int) -> Plan:
    """Draw the run of a seed."""
    rng = random.Random(f"plan {seed}")
    voters = rng.choice(SIZES)
    return Plan(
        seed=seed,
        voters=voters,
        observers=int(rng.random() < 0.15),
        quorums=draw_quorums(rng, voters),
        heartbeat_ms=rng.choice((40, 50)),
        election_ms=rng.choice((200, 300, 400)),
        tick_ms=rng.choice((300, 400, 600)),
        limits=rng.choice((SMALL, SMALL, Limits())),
        clients=rng.randint(3, 8),
        burst=rng.choice((1, 6, 16, 32)),
        think_us=rng.choice((4_000, 4_000, 12_000, 40_000, 120_000)),
        operations=rng.choice((250, 350, 500)),
        faulty_ms=rng.choice((1500, 2500, 4000)),
        flush_every=rng.choice((3, 20, 100)),
        log_kept=rng.choice((0, 5, 50)),
        faults=draw_faults(rng),
    )
