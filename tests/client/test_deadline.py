"""Until when a client believes that its session lives.

That a reply counts from when its request was sent is in `test_link.py`.
"""

import inspect
import time

import attrs
import pytest
import trio

import client
from client import deadline
from client.deadline import DRIFT, MARGIN, Proofs, Prove, boottime
from client.session import Session
from client.vigil import Vigil
from coord.wire.numbers import OpCode


def test_the_deadline_counts_from_the_latest_answered_request():
    proofs = Proofs(timeout=10.0, heard=100.0, ordered=100.0)
    proofs.add(105.0, ordered=False)
    proofs.add(103.0, ordered=False)
    assert proofs.deadline("ping") == pytest.approx(105 + 10 * (1 - DRIFT - MARGIN))
    assert proofs.deadline("sync") == pytest.approx(100 + 10 * (1 - DRIFT - MARGIN - 1 / 3))
    proofs.add(106.0, ordered=True)
    assert proofs.latest("ping") == proofs.latest("sync") == 106.0


def test_the_clock_does_not_go_back():
    assert 0 < boottime() <= boottime()


def test_the_clock_runs_on_while_the_machine_sleeps():
    """Elsewhere it stands still, and a lock that another one has by now counts as held."""
    assert inspect.signature(client.connect).parameters["clock"].default is boottime
    assert deadline._CLOCK == time.CLOCK_BOOTTIME


@pytest.mark.parametrize("ask", ["get", "exists", "get_children", "get_acls", "who_am_i"])
async def test_reads_prove_nothing(autojump_clock, fake, zk, ask):
    await trio.sleep(1)
    await (getattr(zk, ask)() if ask == "who_am_i" else getattr(zk, ask)("/"))
    assert (zk.session.proofs.heard, zk.session.proofs.ordered) == (0.0, 0.0)


async def test_writes_and_sync_prove_most_and_pings_less(autojump_clock, fake, zk):
    await trio.sleep(1)
    await zk.create("/a")
    assert zk.session.proofs.ordered == 1.0
    await trio.sleep(1)
    await zk.sync()
    assert zk.session.proofs.ordered == 2.0
    await trio.sleep(8)
    assert zk.session.proofs.ordered == 2.0
    assert zk.session.proofs.heard > 4.0


async def test_an_error_proves_only_what_the_leader_decides(autojump_clock, fake, zk):
    await trio.sleep(1)
    with pytest.raises(client.NoNode):
        await zk.delete("/missing")
    assert zk.session.proofs.ordered == 1.0
    await trio.sleep(1)
    fake.refuse_next(OpCode.CREATE2, client.NoAuth.code)
    with pytest.raises(client.NoAuth):
        await zk.create("/a")
    assert zk.session.proofs.ordered == 1.0


async def test_a_resume_proves_that_the_session_lives(autojump_clock, fake, zk):
    await trio.sleep(1)
    fake.cut()
    await zk.exists("/")
    assert zk.session.proofs.ordered == 1.0


@attrs.define(eq=False)
class Rest:
    """Something that rests on a session."""

    prove: Prove
    lost_at: float | None = None

    def lose(self, reason: str) -> None:
        self.lost_at = trio.current_time()


async def test_what_is_held_anew_is_lost_at_its_own_deadline(autojump_clock):
    """Also when that comes before anything that was looked for."""
    session = Session(1, b"", Proofs(timeout=10.0, heard=0.0, ordered=0.0))
    vigil = Vigil(trio.current_time)
    first, second = Rest("ping"), Rest("sync")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(vigil.run)
        await trio.sleep(0.5)
        vigil.hold(first, session)
        await trio.sleep(5.1)
        vigil.hold(second, session)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert second.lost_at == pytest.approx(session.proofs.deadline("sync"), abs=0.001)
    assert first.lost_at == pytest.approx(session.proofs.deadline("ping"), abs=0.001)
