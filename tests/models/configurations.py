"""What is searched: quorum systems with sizes, and the broken variants that must be found."""

from collections.abc import Callable, Set

import attrs

from coord.quorums import parse

Test = Callable[[Set[int]], bool]


@attrs.frozen
class Quorums:
    """One system as the model takes it: a test a role."""

    name: str
    election: Test
    replication: Test
    barrier: Test
    """Whose answers confirm a read."""


def written(text: str, members: tuple[int, ...] = (1, 2, 3)) -> Quorums:
    """The system of a text, as the replicas themselves read it."""
    system = parse(text, members)
    return Quorums(
        name=text if members == (1, 2, 3) else f"{text} of {members}",
        election=system.is_election_quorum,
        replication=system.is_replication_quorum,
        barrier=system.meets_every_election_quorum,
    )


def counted(election: int, replication: int, barrier: int) -> Quorums:
    """Any so many replicas, safe or not."""
    return Quorums(
        name=f"any {election} elect, {replication} replicate, {barrier} confirm",
        election=lambda replicas: len(replicas) >= election,
        replication=lambda replicas: len(replicas) >= replication,
        barrier=lambda replicas: len(replicas) >= barrier,
    )


@attrs.frozen
class Configuration:
    """A model with its sizes."""

    old: Quorums
    new: Quorums | None = None
    """What the old ones may be changed to; None for no change."""
    replicas: int = 3
    epochs: int = 3
    entries: int = 1
    """Slots of a log."""
    variant: tuple[str, ...] = ()
    """Macros of the model."""
    goal: str = ""
    """A condition; a state in which it holds counts as a fault."""

    @property
    def macros(self) -> dict[str, str]:
        """What the model is to be translated with."""
        macros = {"N": str(self.replicas), "E": str(self.epochs), "K": str(self.entries)}
        macros |= self._tables("OLD", self.old)
        if self.new is not None:
            macros |= {"CHANGE": ""} | self._tables("NEW", self.new)
        if self.replicas == 3:
            macros["ALIKE"] = ""  # here only counts matter; in a grid it matters who
        if self.goal:
            macros["GOAL"] = f"'({self.goal})'"  # spin hands it to a shell
        return macros | dict.fromkeys(self.variant, "")

    def _tables(self, age: str, quorums: Quorums) -> dict[str, str]:
        tests = {
            "ELECTION": quorums.election,
            "REPLICATION": quorums.replication,
            "BARRIER": quorums.barrier,
        }
        return {f"{role}_{age}": str(self._table(test)) for role, test in tests.items()}

    def _table(self, test: Test) -> int:
        """One bit for each set of replicas, given as a mask."""
        table = 0
        for mask in range(1 << self.replicas):
            members = {1 + bit for bit in range(self.replicas) if mask >> bit & 1}
            table |= test(members) << mask
        return table

    def __str__(self) -> str:
        change = f" -> {self.new.name}" if self.new else ""
        sizes = f"N={self.replicas} E={self.epochs} K={self.entries}"
        return f"{self.old.name}{change}, {sizes} {' '.join(self.variant)}".rstrip()


MAJORITY = written("simple L=2 R=2")
ALL_ELECT = written("simple L=3 R=1")
ALL_REPLICATE = written("simple L=1 R=3")
GRID = written("grid [[1,2],[3,4]]", (1, 2, 3, 4))
SWAPPED = written("majority", (2, 3, 4))
"""What a change of members leads to: replica 1 goes, replica 4 comes."""

CLEAN = (
    Configuration(MAJORITY),
    Configuration(MAJORITY, epochs=2, entries=2),
    Configuration(ALL_ELECT, epochs=2, entries=2),
    Configuration(ALL_REPLICATE, epochs=2, entries=2),
    Configuration(MAJORITY, ALL_ELECT, epochs=2),
)
"""Small ones, which hold."""

CLEAN_AT_LENGTH = (
    Configuration(MAJORITY, entries=2),
    Configuration(ALL_ELECT, entries=2),
    Configuration(ALL_REPLICATE, entries=2),
    Configuration(MAJORITY, ALL_REPLICATE),
    Configuration(ALL_REPLICATE, MAJORITY),
    Configuration(GRID, replicas=4, epochs=2),
    Configuration(written("majority"), SWAPPED, replicas=4, epochs=2),
    Configuration(MAJORITY, ALL_ELECT, entries=2),
    Configuration(ALL_ELECT, MAJORITY, entries=2),
)
"""Larger ones, which hold."""


@attrs.frozen
class Broken:
    """A configuration with a fault, and the invariant it breaks."""

    name: str
    configuration: Configuration
    breaks: int


def _variant(epochs: int, *macros: str) -> Configuration:
    return Configuration(MAJORITY, epochs=epochs, variant=macros)


def _change(*macros: str) -> Configuration:
    return Configuration(MAJORITY, ALL_ELECT, epochs=2, variant=macros)


BROKEN = (
    Broken("a replication quorum one short", Configuration(counted(2, 1, 2), epochs=2), 3),
    Broken("an election quorum one short", Configuration(counted(1, 2, 2), epochs=2), 3),
    Broken(
        "two epochs of one number in a grid",
        Configuration(GRID, replicas=4, epochs=2, variant=("UNOWNED",)),
        3,
    ),
    Broken("a promise kept in memory", _variant(2, "PROMISE_FORGOTTEN"), 1),
    Broken("... and what it loses", _variant(2, "PROMISE_FORGOTTEN", "OUTCOME_ONLY"), 3),
    Broken("a candidate leads with its own history", _variant(2, "OWN_HISTORY"), 3),
    Broken("the epoch durable before the history", _variant(3, "EPOCH_BEFORE_HISTORY"), 3),
    Broken("established by one acknowledgement", _variant(3, "LONE_SYNC"), 3),
    Broken("an old epoch's entry counted", _variant(4, "HOLDER_COUNTS"), 3),
    Broken("histories compared by the last entry", _variant(4, "RANK_BY_LAST_ENTRY"), 3),
    Broken(
        "a read confirmed by a majority where one elects",
        Configuration(counted(1, 3, 2), epochs=2),
        5,
    ),
    Broken(
        "a read confirmed by its leader alone",
        Configuration(counted(2, 2, 1), epochs=2, variant=("READS_ONLY",)),
        4,
    ),
    Broken("answers from before the read", _variant(2, "EARLY_ANSWERS", "READS_ONLY"), 4),
    Broken("quorums changed in one step", _change("ONE_STEP"), 3),
    Broken(
        "a read during a change misses the old quorums", _change("DUAL_OF_BOTH", "READS_ONLY"), 4
    ),
)
"""Faults, all of which are found."""

REACHED = (
    Configuration(MAJORITY, epochs=2, entries=2, goal="com[1]==1&&com[2]==2&&reader==0"),
    Configuration(MAJORITY, ALL_ELECT, epochs=2, goal="stage[2]==SYNCING&&known[2]"),
)
"""What the clean model can come to: a second leader commits more; one elected by new quorums."""
