"""What instruments hear of, and what it costs when one fails."""

import logging

import pytest
import trio

import client
from client import Call, State
from client.tracing import OpenTelemetryInstrument
from coord.wire.numbers import EventType, OpCode


class Recorder(client.Instrument):
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def request(self, call: Call) -> None:
        self.heard.append(("request", call.number, call.opcode, call.path))

    def reply(self, call: Call, error: int | None, seconds: float) -> None:
        self.heard.append(("reply", call.number, error, seconds))

    def watch(self, kind: EventType, path: str) -> None:
        self.heard.append(("watch", kind, path))


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
async def zk(fake, recorder):
    async with fake.connect(instruments=[recorder]) as connected:
        yield connected


async def test_requests_and_replies_are_told(autojump_clock, fake, zk, recorder):
    await zk.create("/a")
    with pytest.raises(client.NoNode):
        await zk.get("/b")
    assert recorder.heard == [
        ("request", 1, OpCode.CREATE2, "/a"),
        ("reply", 1, 0, 0.0),
        ("request", 2, OpCode.GET_DATA, "/b"),
        ("reply", 2, client.NoNode.code, 0.0),
    ]


async def test_a_lost_reply_and_one_that_nobody_waits_for_are_told(
    autojump_clock, fake, zk, recorder
):
    fake.drop_reply(OpCode.EXISTS)
    await zk.exists("/")
    fake.mute = {OpCode.EXISTS}
    with trio.move_on_after(1):
        await zk.exists("/")
    told = [each for each in recorder.heard if each[0] == "reply"]
    assert [each[2] for each in told] == [client.ConnectionLoss.code, 0, None]
    assert told[2][3] == 1.0


async def test_every_request_of_a_batch_is_told(autojump_clock, fake, zk, recorder):
    async with zk.batch() as batch:
        batch.create("/a")
        batch.get("/b")
    told = [each[2] for each in recorder.heard if each[0] == "reply"]
    assert told == [0, client.NoNode.code]


async def test_events_of_watches_are_told(autojump_clock, fake, zk, recorder):
    async with zk.watch("/a") as states:
        await anext(states)
        await zk.create("/a")
        await anext(states)
    assert ("watch", EventType.NODE_CREATED, "/a") in recorder.heard


async def test_an_instrument_that_fails_is_not_called_again(autojump_clock, fake, caplog):
    class Broken(client.Instrument):
        calls = 0

        def request(self, call: Call) -> None:
            self.calls += 1
            raise KeyError

    broken = Broken()
    async with fake.connect(instruments=[broken]) as zk:
        await zk.create("/a")
        await zk.create("/b")
    assert broken.calls == 1
    assert "Broken" in caplog.text


async def test_a_logger_is_told_of_all(autojump_clock, fake, caplog):
    caplog.set_level(logging.DEBUG, "app")
    logger = client.LogInstrument(logging.getLogger("app"))
    async with fake.connect(instruments=[logger]) as zk:
        await zk.create("/a")
    logger.lock_waited("/x", 7, 0.5)
    logger.lock_lost("/x", 7, "gone")
    assert [record.message for record in caplog.records if record.name == "app"] == [
        "connected",
        "#1 CREATE2 /a",
        "#1 done after 0.0 ms",
        "closed",
        "/x is held (token 7) after 0.500 s",
        "/x is lost (token 7): gone",
    ]


async def test_what_a_client_does_is_counted(autojump_clock, fake):
    counting = client.CountingInstrument()
    async with fake.connect(instruments=[counting]) as zk:
        fake.mute = {OpCode.GET_DATA}
        with trio.move_on_after(1):
            await zk.get("/")
        fake.mute = {OpCode.EXISTS}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(zk.exists, "/")
            await trio.sleep(2)
            assert counting.counts().under_way == 1
            fake.mute = set()
            fake.cut()
        with pytest.raises(client.NoNode):
            await zk.delete("/a")
    counts = counting.counts()
    assert counts.requests == {
        "exists": client.Timing(2, 2.0),  # the one that was lost, and its repetition
        "delete": client.Timing(1, 0.0),
    }
    assert counts.errors == {"exists": 1, "delete": 1}
    assert (counts.given_up, counts.under_way) == (1, 0)
    assert counts.states == {"connected": 2, "away": 1, "closed": 1}


async def test_changes_that_servers_tell_of_are_counted(autojump_clock, fake):
    counting = client.CountingInstrument()
    async with fake.connect(instruments=[counting]) as zk, zk.watch("/a") as states:
        await anext(states)
        await zk.create("/a")
        await anext(states)
        assert counting.counts().events == {"node_created": 1}


async def lose(fake, zk) -> None:
    async with zk.lock("/l") as held:
        fake.tree.delete(held.guard().path)
        await trio.sleep_forever()


async def test_what_is_held_is_counted(autojump_clock, fake):
    counting = client.CountingInstrument()
    async with fake.connect(instruments=[counting]) as zk, fake.connect() as other:
        async with other.lock("/l"):
            with trio.move_on_after(1):
                await zk.lock("/l").__aenter__()
        async with zk.lock("/l"):
            await trio.sleep(3)
        before = counting.counts()
        with pytest.raises(client.LockLost):
            await lose(fake, zk)
    counts = counting.counts()
    assert before.lock_losses == 0
    assert counts.lock_waits == client.Timing(2, 0.0)
    assert counts.lock_holds == client.Timing(1, 3.0)
    assert counts.lock_losses == 1


class Telemetry:
    """Both a tracer and a meter, who write down what they are told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def start_span(self, name, *, kind, attributes):
        self.told.append(("span", name, attributes))
        return self

    def set_attribute(self, key, value):
        self.told.append(("attribute", key, value))

    def set_status(self, status):
        self.told.append(("status", status.status_code.name))

    def end(self):
        self.told.append(("end",))

    def create_histogram(self, name, **_):
        return Figure(name, self.told)

    create_counter = create_histogram


class Figure:
    def __init__(self, name, told):
        self._name = name
        self._told = told

    def record(self, value, attributes):
        self._told.append((self._name, value, attributes))

    add = record


async def test_open_telemetry_is_told_of_spans_and_figures(autojump_clock, fake):
    telemetry = Telemetry()
    instrument = OpenTelemetryInstrument(telemetry, telemetry)
    async with fake.connect(instruments=[instrument]) as zk:
        with pytest.raises(client.NoNode):
            await zk.get("/b")
    instrument.watch(EventType.NODE_DELETED, "/b")
    instrument.lock_waited("/x", 7, 0.5)
    instrument.lock_held("/x", 7, 2.0)
    instrument.lock_lost("/x", 7, "gone")
    operation = {"coord.operation": "get_data"}
    assert telemetry.told == [
        ("coord.client.states", 1, {"coord.state": State.CONNECTED.value}),
        ("span", "coord get_data", {**operation, "coord.path": "/b"}),
        ("attribute", "coord.error", client.NoNode.code),
        ("status", "ERROR"),
        ("end",),
        ("coord.client.request", 0.0, {**operation, "coord.error": client.NoNode.code}),
        ("coord.client.states", 1, {"coord.state": State.CLOSED.value}),
        ("coord.client.watch_events", 1, {"coord.event": "node_deleted"}),
        ("coord.client.lock_wait", 0.5, {"coord.path": "/x"}),
        ("coord.client.lock_hold", 2.0, {"coord.path": "/x"}),
        ("coord.client.locks_lost", 1, {"coord.path": "/x"}),
    ]
