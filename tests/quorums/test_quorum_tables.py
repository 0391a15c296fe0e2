"""Quorum tables that decide as Paxos's does: what a client may conclude, and write next.

They are those of Howard and Mortier's paper: co-located, with a fixed majority, reconfigurable,
with single servers as quorums; and Paxos step by step.
"""

import pytest

from coord.quorums.decisions import client_table, verdict
from tests.quorums.test_decisions import MAJORITIES, Shape, contents, quorum_table, shown

CO_LOCATED = {0: "012", 2: "01 02 12"}
"""Everybody for the first register sets, so that one server can rule them out; then majorities."""
FIXED = {0: "01", 1: "01 02 12"}
RECONFIGURABLE = {0: "01 02 12", 2: "34 35 45"}
SINGLE = {0: "0 1 2"}

ANY3 = dict.fromkeys(("01", "02", "12"), "Any")
NO3 = dict.fromkeys(("01", "02", "12"), "No")
MAYBE3 = dict.fromkeys(("01", "02", "12"), "Maybe A")


@pytest.mark.parametrize(
    ("shape", "owned", "rows", "table", "writes"),
    [
        # Co-located: the owner of R0 asks nobody; who asks one server goes on in R1, and in R2.
        (CO_LOCATED, "012", ("? ? ?",), [{"012": "Any"}], {0: "free", 1: ""}),
        (CO_LOCATED, "012", ("? - ?",), [{"012": "No"}], {1: "free"}),
        (CO_LOCATED, "012", ("? - ?", "? - ?"), [{"012": "No"}] * 2, {2: "free"}),
        (
            CO_LOCATED,
            "012",
            ("A ? ?", "? ? ?", "? ? ?"),
            [{"012": "Maybe A"}, {"012": "Any"}, ANY3],
            {1: "A", 2: ""},
        ),
        (CO_LOCATED, "012", ("A ? ?", "? ? -"), [{"012": "Maybe A"}, {"012": "No"}], {2: "A"}),
        (CO_LOCATED, "012", ("A A A",), [{"012": "Yes A"}], {1: "A"}),
        (CO_LOCATED, "012", ("A A -",), [{"012": "No"}], {1: "free"}),
        (
            CO_LOCATED,
            "012",
            ("? - ?", "? - ?", "A ? ?"),
            [{"012": "No"}, {"012": "No"}, MAYBE3],
            {3: "A"},
        ),
        # A fixed majority in R0, which anybody writes: only its two members say anything.
        (FIXED, "1", ("? ? -",), [{"01": "Any"}], {1: ""}),
        (FIXED, "1", ("? - ?",), [{"01": "No"}], {1: "free"}),
        (FIXED, "1", ("A ? ?",), [{"01": "Maybe A"}], {1: "A"}),
        (FIXED, "1", ("A B ?",), [{"01": "No"}], {1: "free"}),
        (FIXED, "1", ("A A ?",), [{"01": "Yes A"}], {1: "A"}),
        (FIXED, "1", ("? ? ?", "? ? A"), [{"01": "Maybe A"}, MAYBE3], {1: "A", 2: "A"}),
        # Servers 3 to 5 take over in R2: the old ones must be asked, the new ones know nothing.
        (RECONFIGURABLE, "012", ("? ? ? - - -",) * 2, [ANY3] * 2, {2: ""}),
        (RECONFIGURABLE, "012", ("- - ? ? ? ?",) * 2, [NO3] * 2, {2: "free"}),
        (
            RECONFIGURABLE,
            "012",
            ("- ? ? ? ? ?", "- A ? ? ? ?"),
            [
                {"01": "No", "02": "No", "12": "Maybe A"},
                {"01": "No", "02": "No", "12": "Maybe A"},
            ],
            {2: "A"},
        ),
        # Each server is a quorum: all must be asked, unless a value is found.
        (SINGLE, "01", ("- - ?",), [{"0": "No", "1": "No", "2": "Any"}], {1: ""}),
        (SINGLE, "01", ("- - -",), [{"0": "No", "1": "No", "2": "No"}], {1: "free"}),
        (SINGLE, "01", ("A ? ?",), [{"0": "Yes A", "1": "Maybe A", "2": "Maybe A"}], {1: "A"}),
        # Paxos: asked in R1, A in R0 on one server; asked in R2, A only in R1; and B, overtaken.
        (MAJORITIES, "012", ("? ? ?",), [ANY3], {0: "free", 1: ""}),
        (MAJORITIES, "012", ("- ? ?",), [{"01": "No", "02": "No", "12": "Any"}], {1: ""}),
        (MAJORITIES, "012", ("- - ?",), [NO3], {1: "free"}),
        (MAJORITIES, "012", ("A - ?",), [{"01": "No", "02": "Maybe A", "12": "No"}], {1: "A"}),
        (
            MAJORITIES,
            "012",
            ("- - ?", "A - ?"),
            [NO3, {"01": "No", "02": "Maybe A", "12": "No"}],
            {2: "A"},
        ),
        (
            MAJORITIES,
            "012",
            ("B - ?", "- A ?"),
            [NO3, {"01": "No", "02": "No", "12": "Maybe A"}],
            {2: "A"},
        ),
    ],
)
def test_what_a_client_concludes_and_may_write(
    shape: Shape,
    owned: str,
    rows: tuple[str, ...],
    table: list[dict[str, str]],
    writes: dict[int, str],
) -> None:
    """AT-13: `writes` has the next register sets, and "free", a value, or "" for neither."""
    found = client_table(contents(*rows), quorum_table(shape), frozenset(map(int, owned)))
    assert shown(found) == table
    for register, expected in writes.items():
        allowed = verdict(found, register)
        assert ("free" if allowed.is_free else "".join(allowed.values)) == expected, register
