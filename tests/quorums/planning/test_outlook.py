"""What is possible with some replicas down, and which failure hurts next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coord.quorums import QuorumSystem, parse
from coord.quorums.expression import replicas_of
from coord.quorums.planning import look_ahead
from tests.quorums import drawn
from tests.quorums.planning import brute


@given(brute.systems(), st.data())
def test_the_outlook_is_what_the_definitions_say(system: QuorumSystem, data: st.DataObject) -> None:
    everybody = drawn.subsets(len(system.members))[-1]
    gone = data.draw(st.sampled_from(drawn.subsets(len(system.members))))

    def possible(up: int) -> tuple[bool, bool]:
        return drawn.meaning(system.replicates, up), drawn.meaning(system.elects, up)

    outlook = look_ahead(system, replicas_of(gone))
    now = possible(everybody & ~gone)
    assert (outlook.now.commits, outlook.now.elects) == now
    assert outlook.now.reads == outlook.now.commits
    assert outlook.now.replaces == all(now)
    assert (outlook.missing_for_commits == "", outlook.missing_for_elections == "") == now
    hurts = {failure.replica: failure.stops for failure in outlook.next_failures}
    for replica in replicas_of(everybody & ~gone):
        then = possible(everybody & ~gone & ~(1 << replica))
        assert ("commits" in hurts.get(replica, ())) == (now[0] and not then[0])
        assert ("elections" in hurts.get(replica, ())) == (now[1] and not then[1])


def test_the_next_failure_that_hurts_is_named_with_what_stops() -> None:
    outlook = look_ahead(parse("replication=1*3+2*4", (1, 2, 3, 4)), [4])
    assert outlook.now.commits
    assert outlook.now.elects
    assert [(f.replica, f.stops) for f in outlook.next_failures] == [
        (1, ("commits", "reads")),
        (2, ("elections",)),
        (3, ("commits", "reads")),
    ]


def test_a_replica_that_is_no_voter_cannot_be_down() -> None:
    with pytest.raises(ValueError, match="replica 4 is not among the voters"):
        look_ahead(parse("majority", (1, 2, 3)), [4])
