"""The benchmark runs, and its load generator takes no wrong reply for a right one."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import client as of_the_client
from benchmarks import workloads
from benchmarks.ensemble import main
from benchmarks.load import Connection, Load, Pipeline, WrongReply, pipeline

DEPTH = 5


class Wire(Connection):
    """A connection whose other end is in the test's hands; no greeting."""

    def __init__(self) -> None:
        self.socket, self.server = socket.socketpair()

    def close(self) -> None:
        self.socket.close()
        self.server.close()

    def answer(self, *replies: bytes) -> None:
        """Send frames as a server would."""
        self.server.sendall(b"".join(struct.pack(">i", len(r)) + r for r in replies))


@pytest.fixture
def wire() -> Iterator[Wire]:
    opened = Wire()
    yield opened
    opened.close()


def reply(xid: int, *, error: int = 0, data: bytes = workloads.value(0), zxid: int = 9) -> bytes:
    """The reply to a read."""
    head = struct.pack(">iqi", xid, zxid, error)
    return head + struct.pack(">i", len(data)) + data + bytes(workloads.STAT_BYTES)


def reads(count: int) -> Iterator[workloads.Batch]:
    """So many reads of the first key, in one batch."""
    requests = [workloads.read(xid, workloads.key(0)) for xid in range(1, count + 1)]
    yield workloads.batch(requests, [workloads.get_want(0)] * count)


def test_right_replies_are_counted(wire: Wire) -> None:
    one = Pipeline(wire, reads(DEPTH), DEPTH)
    wire.answer(*(reply(xid) for xid in range(1, DEPTH + 1)))
    Load([one]).run_out()
    assert one.done == DEPTH


@pytest.mark.parametrize("depth", [1, DEPTH])
def test_a_reply_may_come_in_pieces(wire: Wire, depth: int) -> None:
    one = pipeline(wire, reads(DEPTH), depth)
    whole = struct.pack(">i", len(reply(1))) + reply(1)
    wire.server.sendall(whole[:4])
    sender = threading.Thread(target=lambda: wire.server.sendall(whole[4:]))
    sender.start()
    while not one.done:
        one.turn([], sending=False)
    sender.join()
    assert one.done == 1


@pytest.mark.parametrize(
    "wrong",
    [
        reply(2),
        reply(1, error=-101),
        reply(1, data=workloads.value(1)),
        reply(1, data=b""),
        reply(1) + b"!",
    ],
    ids=["xid", "error", "value", "length", "more"],
)
@pytest.mark.parametrize("depth", [1, DEPTH])
def test_a_wrong_reply_ends_the_run(wire: Wire, wrong: bytes, depth: int) -> None:
    one = pipeline(wire, reads(DEPTH), depth)
    wire.answer(wrong)
    with pytest.raises(WrongReply):
        one.turn([], sending=False)


def test_replies_recognised_in_bulk_are_still_checked(wire: Wire) -> None:
    constant = next(workloads.mixed(seed=1, read_percent=100))
    number = len(constant.wants)

    def answers() -> list[bytes]:
        return [reply(xid, data=want[3]) for xid, want in enumerate(constant.wants, 1)]

    one = Pipeline(wire, iter([constant]), number)
    latencies: list[tuple[int, int]] = []
    for _ in range(3):
        for first in range(0, number, 100):
            wire.answer(*answers()[first : first + 100])
            while one.done % number < first + 100 and one.in_flight:
                one.turn(latencies, sending=False)
                if one.done % number == 0:
                    break
        one.send(number)
    assert one.done == 3 * number
    wire.answer(reply(1, error=-101))
    with pytest.raises(WrongReply):
        one.turn(latencies, sending=False)


def test_a_short_run_of_the_benchmark_fills_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "table.json"
    times = ["--rounds", "1", "--seconds", "0.1", "--warm-up", "0.1", "--settle", "0"]
    rows = ["--replicas", "1", "--rows", "set", "create"]
    assert main([*times, *rows, "--json", str(output)]) == 0
    table = json.loads(output.read_text())["table"]
    assert [row["row"] for row in table] == [
        "set 64x1",
        "set 8x100",
        "create 64x1",
        "create 8x100",
    ]
    for row in table:
        assert row["coord"]["throughput"] > 0
        assert row["coord"]["syncs"] > 0
    assert "create 8x100" in capsys.readouterr().out


def test_a_short_run_of_the_benchmark_of_the_client_compares_all_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "table.json"
    status = of_the_client.main(["--rounds", "1", "--requests", "200", "--json", str(output)])
    table = json.loads(output.read_text())
    assert [row["operation"] for row in table] == ["get", "set"]
    for row in table:
        assert all(row[way] > 0 for way in of_the_client.WAYS)
        assert row["batch ratio"] == row["batch"] / row["kazoo"]
    # So short a run says little of the goals; the status says what was found all the same.
    goals = of_the_client.GOALS.items()
    assert status == any(row[f"{way} ratio"] > goal for row in table for way, goal in goals)
    assert "at most: await 0.50, batch 0.33" in capsys.readouterr().out
