"""Membership: registered in every session, told to others, and gone when its block has ended."""

# ruff: noqa: PT012  (what raises is the whole block)

import pytest
import trio

import client
from coord.wire.errors import NoAuth
from coord.wire.numbers import OpCode
from tests.client import mishaps
from tests.client.cancelling import MISHAPS, leaves_nothing
from tests.client.mishaps import steps_that_leave_nothing
from tests.client.quiet import until_quiet

PATH = "/group/me"

SOME = sorted(MISHAPS)[:: min(3, mishaps.STRIDE)]


async def test_a_member_is_seen_while_its_block_runs(autojump_clock, fake, zk):
    async with zk.member("/group", b"1", name="me") as member:
        node = fake.tree.nodes[PATH]
        assert (node.data, node.owner) == (b"1", zk.session.id)
        assert (member.path, member.name, member.token) == (PATH, "me", node.czxid)
        assert member.is_registered
    assert fake.tree.names("/group") == []


async def test_a_member_without_a_name_gets_its_own(autojump_clock, fake, zk):
    async with zk.member("/group") as one, zk.member("/group") as two:
        assert fake.tree.names("/group") == sorted([one.name, two.name])


async def test_a_member_says_something_else(autojump_clock, fake, zk):
    async with zk.member("/group", b"1", name="me") as member:
        await member.update(b"2")
        assert fake.tree.nodes[PATH].data == b"2"


async def test_a_new_session_registers_anew_with_what_was_said_last(autojump_clock, fake, zk):
    async with zk.member("/group", b"1", name="me") as member:
        await member.update(b"2")
        token = member.token
        fake.expire(zk.session.id)
        await trio.sleep(1)
        node = fake.tree.nodes[PATH]
        assert (node.data, node.owner) == (b"2", zk.session.id)
        assert member.token == node.czxid > token


async def test_a_member_knows_when_it_is_not_registered(autojump_clock, fake, zk):
    async with zk.member("/group", name="me") as member:
        fake.down = {-1}
        fake.expire(zk.session.id)
        fake.down = {1, 2}
        fake.mute = {OpCode.CREATE2}
        await trio.sleep(5)
        assert not member.is_registered
        fake.mute = set()
        fake.cut()
        await member.registered()
        assert fake.tree.nodes[PATH].owner == zk.session.id


async def test_what_is_said_without_a_connection_is_written_later(autojump_clock, fake, zk):
    async with zk.member("/group", b"1", name="me") as member:
        fake.down = {-1}
        fake.cut()
        with trio.move_on_after(1) as patience:
            await member.update(b"2")
        assert patience.cancelled_caught
        fake.down = set()
        await trio.sleep(3)
        assert fake.tree.nodes[PATH].data == b"2"


async def test_a_znode_that_somebody_deletes_is_made_anew(autojump_clock, fake, zk):
    async with zk.member("/group", b"1", name="me"):
        fake.tree.delete(PATH)
        await until_quiet()
        assert fake.tree.nodes[PATH].owner == zk.session.id


async def test_what_another_hand_wrote_stays_until_the_member_speaks(autojump_clock, fake, zk):
    async with zk.member("/group", b"1", name="me") as member:
        fake.tree.put(PATH, b"drained by the operator")
        await trio.sleep(1)
        assert fake.tree.nodes[PATH].data == b"drained by the operator"
        await member.update(b"2")
        assert fake.tree.nodes[PATH].data == b"2"


async def test_the_znode_of_an_earlier_process_is_waited_for(autojump_clock, fake, zk):
    fake.tree.put("/group", b"")
    fake.tree.put(PATH, b"before", owner=99)

    async def expire() -> None:
        await trio.sleep(7)
        fake.tree.end(99)

    fake.start_soon(expire)
    async with zk.member("/group", b"1", name="me"):
        assert trio.current_time() >= 7
        assert fake.tree.nodes[PATH].owner == zk.session.id


async def test_the_remainder_of_an_own_session_is_removed(autojump_clock, fake, zk):
    # The server gave a new session without a word, so the old one has not ended there.
    async with zk.member("/group", b"1", name="me") as member:
        before = zk.session.id
        fake.greet_with_new_session = True
        fake.cut()
        await trio.sleep(1)
        fake.greet_with_new_session = False
        await member.registered()
        assert zk.session.id != before
        assert fake.tree.nodes[PATH].owner == zk.session.id


async def test_who_leaves_does_not_take_away_what_is_anothers(autojump_clock, fake, zk):
    async with zk.member("/group", name="me"):
        fake.down = {-1}
        fake.cut()
        fake.tree.delete(PATH)
        fake.tree.put(PATH, b"other", owner=99)
        await trio.sleep(0.5)
        fake.down = set()
        await trio.sleep(3)
    assert fake.tree.nodes[PATH].owner == 99


async def test_a_client_is_a_member_once(autojump_clock, fake, zk):
    async with zk.member("/group", name="me"):
        with pytest.raises(RuntimeError, match="already"):
            async with zk.member("/group", name="me"):
                raise AssertionError
    async with zk.member("/group", name="me"):
        pass


async def test_a_refusal_ends_the_block(autojump_clock, fake, zk):
    fake.refuse_next(OpCode.CREATE2, NoAuth.code)
    with pytest.raises(client.NoAuth):
        async with zk.member("/", name="me"):
            raise AssertionError
    with pytest.raises(client.NoAuth):
        async with zk.member("/group", name="me"):
            fake.refuse_next(OpCode.CREATE2, NoAuth.code)
            fake.tree.delete(PATH)
            await trio.sleep_forever()


async def test_a_guard_holds_while_the_member_is_registered(autojump_clock, fake, zk):
    async with zk.member("/group", name="me") as member:
        await zk.counter("/c").add(guard=member.guard())
    with pytest.raises(client.NoNode):
        await zk.counter("/c").add(guard=member.guard())


async def test_a_name_is_one_name(autojump_clock, fake, zk):
    with pytest.raises(ValueError, match="no name"):
        zk.member("/group", name="a/b")


def join(zk: client.Client):
    return zk.member("/x/group", b"1", name="me")


@pytest.mark.parametrize("mishap", SOME)
async def test_a_member_that_is_cancelled_at_a_checkpoint_is_gone(autojump_clock, fake, zk, mishap):
    assert await leaves_nothing(fake, zk, join, mishap) > 3


@pytest.mark.parametrize("mishap", ["none", "the reply to the create is lost"][:: mishaps.STRIDE])
async def test_a_member_that_is_cancelled_at_a_step_of_any_task_is_gone(
    autojump_clock, fake, zk, mishap
):
    assert await steps_that_leave_nothing(fake, zk, join, MISHAPS[mishap]) > 20


@pytest.mark.parametrize("kind", mishaps.KINDS)
async def test_a_lost_reply_leaves_one_znode_with_what_was_said_last(
    autojump_clock, fake, zk, kind
):
    requests = (OpCode.CREATE2, OpCode.SET_DATA, OpCode.EXISTS, OpCode.SYNC, OpCode.DELETE)
    for name, mishap in mishaps.everywhere(requests, kind):
        mishaps.strike(fake, kind, OpCode.CREATE2)
        mishap(fake)
        async with zk.member("/group", b"1", name="me") as member:
            await member.update(b"2")
            assert fake.tree.nodes[PATH].data == b"2", name
            assert fake.tree.nodes[PATH].owner == zk.session.id
        fake.forget_mishaps()
        await zk.sync()
        assert fake.tree.names("/group") == [], name


async def test_a_member_of_a_real_group(hosts):
    async with client.connect(hosts) as zk, client.connect(hosts) as other:
        async with zk.member("/group", b"1", name="me") as member:
            await member.update(b"2")
            await other.sync()
            data, stat = await other.get(PATH)
            assert (data, stat.ephemeral_owner) == (b"2", zk.session.id)
            await other.delete(PATH)
            await member.update(b"3")
            await other.sync()
            assert (await other.get(PATH)).data == b"3"
        await other.sync()
        assert await other.get_children("/group") == []
