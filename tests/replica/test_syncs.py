"""A sync among other requests of its connection: order, and the zxids that replies bear."""

from struct import unpack_from

import pytest

from tests.replica.served import Client, Served


@pytest.fixture
def served() -> Served:
    return Served()


def xids_and_zxids(client: Client) -> list[tuple[int, int]]:
    return [unpack_from(">iq", frame) for frame in client.received_frames()]


def test_a_sync_that_waits_for_its_turn_tells_the_state_in_which_it_is_answered(
    served: Served,
) -> None:
    client = served.attached()
    client.create("/a")
    client.sync()
    served.pass_barrier()  # before the write in front of it is applied
    served.commit()
    (_, created), (_, synced) = xids_and_zxids(client)
    assert synced == created


def test_a_refused_write_that_waits_for_its_turn_tells_the_state_in_which_it_is_answered(
    served: Served,
) -> None:
    client = served.attached()
    client.create("/a")
    client.send(1)  # a create without a body
    served.commit()
    (_, created), (_, refused) = xids_and_zxids(client)
    assert refused == created


def test_a_read_between_a_sync_and_a_write_does_not_see_the_write(served: Served) -> None:
    client = served.attached()
    client.sync()
    client.exists("/a")
    client.create("/a")
    served.commit()
    assert client.replies() == []
    served.pass_barrier()
    served.commit()
    assert [(xid, error) for xid, error, _ in client.replies()] == [(1, 0), (2, -101), (3, 0)]


def test_each_of_several_syncs_holds_up_what_is_behind_it(served: Served) -> None:
    client = served.attached()
    client.sync()
    client.create("/a")
    served.clients.barriers.ask(0)  # the second sync has to wait for another question
    client.sync()
    client.exists("/b")
    client.create("/b")
    served.clients.barriers.confirmed(1 << 32 | 1, 5)
    for slot, body in served.clients.barriers.passed(5):
        served.clients.barrier_passed(slot, body)
    served.commit()
    assert client.xids() == [1, 2]
    served.pass_barrier()
    served.commit()
    assert [(xid, error) for xid, error, _ in client.replies()] == [(3, 0), (4, -101), (5, 0)]


def test_a_close_behind_a_sync_ends_the_session_after_it(served: Served) -> None:
    client = served.attached()
    client.sync()
    client.send(-11)
    client.create("/late")
    served.pass_barrier()
    served.commit()
    assert client.xids() == [1, 2]
    assert client.is_cut
    other = served.attached()
    other.exists("/late")
    assert other.replies()[0][1] == -101
