"""Locks and elections cancelled at every checkpoint, one after the other: nothing stays behind."""

from contextlib import asynccontextmanager

import attrs
import pytest

from tests.client.cancelling import MISHAPS, Attempt, leaves_nothing, leaving_soon

OURS = "0" * 32 + "-" + "0" * 15 + "9-{:010d}"


@asynccontextmanager
async def upgraded(zk):
    async with zk.read_lock("/x/queue") as reading, reading.upgrade() as alone:
        yield alone


@attrs.frozen
class Case:
    attempt: Attempt
    foreigner: str
    """A znode of another client that stands in the way."""


CASES = {
    "lock": Case(lambda zk: zk.lock("/x/queue"), f"/x/queue/{OURS}"),
    "semaphore": Case(lambda zk: zk.semaphore("/x/s", 1), f"/x/s/permits/{OURS}"),
    "read lock": Case(lambda zk: zk.read_lock("/x/queue"), f"/x/queue/{OURS}"),
    "upgrade": Case(upgraded, "/x/queue/" + OURS.replace("{", "read-{")),
    "several locks": Case(lambda zk: zk.lock_all(["/x/b", "/x/a"]), f"/x/b/{OURS}"),
    "lead": Case(lambda zk: zk.lead("/x/queue", b"me"), f"/x/queue/{OURS}"),
    "kazoo lock": Case(
        lambda zk: zk.lock("/x/queue", layout="kazoo"), "/x/queue/" + "0" * 32 + "__lock__{:010d}"
    ),
    "kazoo semaphore": Case(lambda zk: zk.semaphore("/x/s", 1, layout="kazoo"), "/x/s/{}"),
    "lock by ping": Case(lambda zk: zk.lock("/x/queue", prove="ping"), f"/x/queue/{OURS}"),
}

SOME = ["none", "the reply to the create is lost"]
"""Mishaps for all; the rest is for two, which have between them all there is to go wrong."""


def runs(some: list[str]) -> list[object]:
    """Each case with these mishaps, the two with all."""
    return [
        pytest.param(case, mishap, id=f"{name}, {mishap}")
        for name, case in CASES.items()
        for mishap in (MISHAPS if name in ("lock", "semaphore") else some)
    ]


@pytest.mark.parametrize(("case", "mishap"), runs(SOME))
async def test_what_is_free_is_free_afterwards(autojump_clock, fake, zk, case, mishap):
    assert await leaves_nothing(fake, zk, case.attempt, mishap) > 5


@pytest.mark.parametrize(("case", "mishap"), runs(SOME[:1]))
async def test_what_is_held_by_another_is_free_when_that_one_has_left(
    autojump_clock, fake, zk, case, mishap
):
    def prepare() -> None:
        leaving_soon(fake, case.foreigner)

    assert await leaves_nothing(fake, zk, case.attempt, mishap, prepare=prepare) > 5


async def test_a_parent_that_is_missing_is_made_at_any_checkpoint(autojump_clock, fake, zk):
    def prepare() -> None:
        for path in ("/x/queue", "/x"):
            if path in fake.tree.nodes:
                fake.tree.delete(path)

    assert await leaves_nothing(fake, zk, CASES["lock"].attempt, "none", prepare=prepare) > 5
