"""A reply that was lost: reads are repeated; writes are decided by reading, or OutcomeUnknown.

`drop_reply` carries the request out and breaks the connection, `drop_request` breaks it before.
Whatever the client answers must be true of the znodes, and each write happens once at most.
"""

import pytest
import trio

import client
from coord.wire.numbers import OpCode


async def test_reads_are_repeated(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    for opcode in (OpCode.GET_DATA, OpCode.EXISTS, OpCode.GET_CHILDREN2, OpCode.SYNC):
        fake.drop_reply(opcode)
        fake.drop_request(opcode)
    assert (await zk.get("/a")).data == b"1"
    assert await zk.exists("/a")
    assert await zk.get_children("/a") == []
    assert await zk.sync("/a") == "/a"


async def test_a_set_that_was_not_carried_out_is_sent_again(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    fake.drop_request(OpCode.SET_DATA)
    assert (await zk.set("/a", b"2", 0)).version == 1
    fake.drop_request(OpCode.SET_DATA)
    assert (await zk.set("/a", b"3")).version == 2


async def test_a_set_without_version_is_done_when_the_znode_has_the_data(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    fake.drop_reply(OpCode.SET_DATA)
    assert (await zk.set("/a", b"2")).version == 1


async def test_a_set_without_version_that_may_be_overwritten_is_unknown(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    fake.drop_reply(OpCode.SET_DATA, then=lambda: fake.tree.put("/a", b"theirs"))
    with pytest.raises(client.OutcomeUnknown):
        await zk.set("/a", b"2")
    assert fake.tree.nodes["/a"].version == 2


async def test_a_set_with_version_may_be_somebody_elses_and_is_unknown(autojump_clock, fake, zk):
    # Somebody else may have written the same bytes: two increments of a counter look alike.
    await zk.create("/a", b"1")
    fake.drop_reply(OpCode.SET_DATA)
    with pytest.raises(client.OutcomeUnknown) as caught:
        await zk.set("/a", b"2", 0)
    assert (caught.value.operation, caught.value.path) == ("set", "/a")
    fake.drop_request(OpCode.SET_DATA, then=lambda: fake.tree.put("/a", b"3"))
    with pytest.raises(client.OutcomeUnknown):
        await zk.set("/a", b"3", 1)


async def test_an_idempotent_set_with_version_is_done_when_it_shows(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    fake.drop_reply(OpCode.SET_DATA)
    assert (await zk.set("/a", b"2", 0, idempotent=True)).version == 1
    assert fake.tree.nodes["/a"].version == 1


async def test_a_set_that_lost_against_another_is_a_bad_version(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    fake.drop_request(OpCode.SET_DATA, then=lambda: fake.tree.put("/a", b"theirs"))
    with pytest.raises(client.BadVersion):
        await zk.set("/a", b"2", 0)


async def test_a_set_of_a_znode_that_is_gone_is_unknown(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    fake.drop_reply(OpCode.SET_DATA, then=lambda: fake.tree.delete("/a"))
    with pytest.raises(client.OutcomeUnknown):
        await zk.set("/a", b"2", 0)


async def test_a_create_that_was_not_carried_out_is_sent_again(autojump_clock, fake, zk):
    await zk.sync()  # what it has seen lets it tell afterwards that nothing was created
    fake.drop_request(OpCode.CREATE2)
    assert await zk.create("/a", b"1") == "/a"
    fake.drop_request(OpCode.CREATE2)
    assert await zk.create("/a/n-", sequence=True) == "/a/n-0000000000"


async def test_a_create_of_what_was_there_before_fails(autojump_clock, fake, zk):
    await zk.create("/a", b"1")
    fake.drop_reply(OpCode.CREATE2)
    with pytest.raises(client.NodeExists):
        await zk.create("/a", b"1")


async def test_an_ephemeral_znode_names_its_maker(autojump_clock, fake, zk):
    fake.drop_reply(OpCode.CREATE2)
    assert await zk.create("/e", b"me", ephemeral=True) == "/e"
    assert fake.tree.nodes["/e"].owner == zk.session.id


async def test_an_ephemeral_znode_of_another_is_not_taken_for_ours(autojump_clock, fake, zk):
    fake.drop_request(OpCode.CREATE2, then=lambda: fake.tree.put("/e", b"me", owner=99))
    with pytest.raises(client.OutcomeUnknown):
        await zk.create("/e", b"me", ephemeral=True)
    assert fake.tree.nodes["/e"].owner == 99


async def test_an_ephemeral_create_does_not_pass_into_a_new_session(autojump_clock, fake, zk):
    session = zk.session
    fake.drop_reply(OpCode.CREATE2, then=lambda: fake.expire(session.id))
    with pytest.raises(client.SessionExpired):
        await zk.create("/e", ephemeral=True)
    assert fake.tree.names("/") == []


async def make(zk: client.Client, outcomes: list[str]) -> None:
    try:
        await zk.create("/e", b"me", ephemeral=True)
        outcomes.append("made")
    except (client.NodeExists, client.OutcomeUnknown) as error:
        outcomes.append(type(error).__name__)


async def test_two_tasks_that_make_the_same_ephemeral_znode_are_not_both_told_that_they_did(
    autojump_clock, fake, zk
):
    outcomes: list[str] = []
    fake.drop_reply(OpCode.CREATE2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(make, zk, outcomes)
        nursery.start_soon(make, zk, outcomes)
    assert outcomes == ["OutcomeUnknown", "OutcomeUnknown"]
    fake.tree.delete("/e")
    fake.before(OpCode.CREATE2, lambda: None)
    fake.drop_reply(OpCode.CREATE2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(make, zk, outcomes)
        nursery.start_soon(make, zk, outcomes)
    assert outcomes[2:] == ["made", "NodeExists"]


async def test_a_task_that_is_told_while_another_decides_made_the_ephemeral_znode_alone(
    autojump_clock, fake, zk
):
    outcomes: list[str] = []
    async with trio.open_nursery() as nursery:
        fake.drop_request(OpCode.CREATE2)
        fake.before(OpCode.SYNC, lambda: nursery.start_soon(make, zk, outcomes))
        await make(zk, outcomes)
    assert outcomes == ["made", "OutcomeUnknown"]


async def test_a_task_that_gave_up_may_have_made_the_ephemeral_znode(autojump_clock, fake, zk):
    outcomes: list[str] = []
    with trio.CancelScope() as given_up:
        fake.drop_reply(OpCode.CREATE2, then=given_up.cancel)
        await make(zk, outcomes)
    fake.drop_reply(OpCode.CREATE2)
    await make(zk, outcomes)
    assert outcomes == ["OutcomeUnknown"]


async def test_what_is_known_of_an_ephemeral_znode_leaves_no_doubt_for_the_next_time(
    autojump_clock, fake, zk
):
    outcomes: list[str] = []
    for drop in (fake.drop_reply, fake.drop_request) * 2:
        drop(OpCode.CREATE2)
        await make(zk, outcomes)
        fake.drop_reply(OpCode.CREATE2)
        await make(zk, outcomes)
        await zk.delete("/e")
    assert outcomes == ["made", "NodeExists"] * 4


async def test_a_persistent_create_may_be_somebody_elses_and_is_unknown(autojump_clock, fake, zk):
    fake.drop_reply(OpCode.CREATE2)
    with pytest.raises(client.OutcomeUnknown):
        await zk.create("/a", b"1")


async def test_an_idempotent_create_is_done_when_it_shows(autojump_clock, fake, zk):
    fake.drop_reply(OpCode.CREATE2)
    assert await zk.create("/a", b"1", idempotent=True) == "/a"
    fake.drop_request(OpCode.CREATE2, then=lambda: fake.tree.put("/b", b"theirs"))
    with pytest.raises(client.NodeExists):
        await zk.create("/b", b"1", idempotent=True)


async def test_a_sequential_create_that_may_have_been_done_is_unknown(autojump_clock, fake, zk):
    """It is not repeated: a second znode would be made, and the first would be nobody's."""
    fake.drop_reply(OpCode.CREATE2)
    with pytest.raises(client.OutcomeUnknown):
        await zk.create("/n-", sequence=True)
    assert len(fake.tree.names("/")) == 1


async def test_a_marked_create_is_found_again(autojump_clock, fake, zk):
    """So a numbered znode is made once, also when the reply to its creation is lost."""
    fake.drop_reply(OpCode.CREATE2)
    path = await zk.create("/n-", b"1", sequence=True, marked=True)
    assert fake.tree.names("/") == [path[1:]]
    assert (await zk.get(path)).data == b"1"
    fake.drop_request(OpCode.CREATE2)
    await zk.create("/n-", sequence=True, marked=True)
    fake.defer_request(OpCode.CREATE2)
    await zk.create("/e-", ephemeral=True, sequence=True, marked=True)
    assert len(fake.tree.names("/")) == 3


async def test_a_marked_create_that_somebody_may_have_deleted_is_unknown(autojump_clock, fake, zk):
    fake.drop_reply(OpCode.CREATE2, then=lambda: fake.tree.delete(f"/{fake.tree.names('/')[0]}"))
    with pytest.raises(client.OutcomeUnknown):
        await zk.create("/n-", b"1", sequence=True, marked=True)
    assert fake.tree.names("/") == []


async def test_a_delete_that_was_not_carried_out_is_sent_again(autojump_clock, fake, zk):
    await zk.create("/a")
    fake.drop_request(OpCode.DELETE)
    await zk.delete("/a")
    assert fake.tree.names("/") == []


async def test_a_delete_may_be_somebody_elses_and_is_unknown(autojump_clock, fake, zk):
    await zk.create("/a")
    fake.drop_reply(OpCode.DELETE)
    with pytest.raises(client.OutcomeUnknown):
        await zk.delete("/a", 0)


async def test_an_idempotent_delete_is_done_when_the_znode_is_gone(autojump_clock, fake, zk):
    await zk.create("/a")
    fake.drop_reply(OpCode.DELETE)
    await zk.delete("/a", idempotent=True)


async def test_a_delete_recursive_goes_on(autojump_clock, fake, zk):
    await zk.create("/a/b", makepath=True)
    for _ in range(2):
        fake.drop_reply(OpCode.DELETE)
        fake.drop_request(OpCode.DELETE)
    await zk.delete("/a", recursive=True)
    assert fake.tree.names("/") == []


async def test_ensuring_a_path_goes_on(autojump_clock, fake, zk):
    fake.drop_reply(OpCode.CREATE2)
    fake.drop_request(OpCode.CREATE2)
    await zk.ensure_path("/a/b/c")
    assert fake.tree.names("/a/b") == ["c"]


async def test_a_transaction_is_unknown(autojump_clock, fake, zk):
    fake.drop_reply(OpCode.MULTI)
    with pytest.raises(client.OutcomeUnknown):
        async with zk.transaction() as both:
            both.create("/a")


async def test_a_change_of_permissions_is_sent_again_or_unknown(autojump_clock, fake, zk):
    await zk.create("/a")
    fake.drop_request(OpCode.SET_ACL)
    assert (await zk.set_acls("/a", client.OPEN_ACL, 0)).aversion == 1
    fake.drop_reply(OpCode.SET_ACL)
    with pytest.raises(client.OutcomeUnknown):
        await zk.set_acls("/a", client.OPEN_ACL, 1)


async def test_permissions_of_a_znode_that_was_made_anew_are_left_alone(autojump_clock, fake, zk):
    # It bears the name and the version that were meant, and is another one.
    def make_anew() -> None:
        fake.tree.delete("/a")
        fake.tree.put("/a", b"theirs")

    await zk.create("/a")
    fake.drop_reply(OpCode.SET_ACL, then=make_anew)
    with pytest.raises(client.OutcomeUnknown):
        await zk.set_acls("/a", client.OPEN_ACL, 0)
    assert (await zk.get_acls("/a"))[1].aversion == 0


async def test_a_request_that_was_never_handed_over_is_sent_again(autojump_clock, fake, zk):
    # The connection breaks while the request still waits for the writer.
    await zk.create("/a", b"1")
    fake.drop_request(OpCode.EXISTS, then=fake.cut)
    await zk.exists("/a")
    assert (await zk.set("/a", b"2", 0)).version == 1


async def test_what_was_lost_with_an_expired_session_is_decided_in_the_next(
    autojump_clock, fake, zk
):
    await zk.create("/a", b"1")
    session = zk.session
    fake.drop_request(OpCode.SET_DATA, then=lambda: fake.expire(session.id))
    assert (await zk.set("/a", b"2", 0)).version == 1
    assert zk.session is not session


@pytest.mark.parametrize(
    ("opcode", "write"),
    [
        (OpCode.SET_DATA, lambda zk: zk.set("/n", b"2")),
        (OpCode.DELETE, lambda zk: zk.delete("/n")),
        (OpCode.MULTI, lambda zk: zk.counter("/n").add(1)),
    ],
)
async def test_a_server_that_refuses_to_be_asked_decides_nothing(
    autojump_clock, fake, opcode, write
):
    async with fake.connect(read_only=True) as zk:
        await zk.create("/n", b"1")
        fake.drop_reply(opcode, then=lambda: fake.alone.update({1, 2, 3}))
        with pytest.raises(client.OutcomeUnknown):
            await write(zk)


async def test_a_write_that_comes_late_is_waited_for(autojump_clock, fake, zk):
    # The old connection's server has passed it on; a sync goes behind it.
    await zk.create("/a", b"1")
    fake.defer_request(OpCode.SET_DATA)
    assert (await zk.set("/a", b"2", 0, idempotent=True)).version == 1
    fake.defer_request(OpCode.CREATE2)
    assert await zk.create("/e", ephemeral=True) == "/e"
    fake.defer_request(OpCode.DELETE)
    await zk.delete("/a", idempotent=True)
    fake.defer_request(OpCode.CREATE2)
    with pytest.raises(client.OutcomeUnknown):
        await zk.create("/n-", sequence=True)
    assert fake.tree.names("/") == ["e", "n-0000000002"]
