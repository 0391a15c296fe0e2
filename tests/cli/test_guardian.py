"""The guardian's rules, one by one, without processes and without a clock."""

import signal

import pytest

from coord.cli.guardian import Guardian

GROUP = 77


class Sent:
    """Stands in for the kernel: notes what would be sent."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    def __call__(self, group: int, number: int) -> None:
        assert group == GROUP
        self.signals.append(number)


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def guardian(sent: Sent) -> Guardian:
    made = Guardian(1.0, sent)
    made.read(b"77")
    return made


def test_it_asks_first_and_kills_before_the_deadline(guardian: Guardian, sent: Sent) -> None:
    guardian.read(b"100.0")
    assert guardian.act(90.0) == 9.0
    assert sent.signals == []
    assert guardian.act(99.0) == pytest.approx(0.8)
    assert sent.signals == [signal.SIGTERM, signal.SIGCONT]
    guardian.act(99.9)
    assert sent.signals[2:] == [signal.SIGKILL]
    assert guardian.is_over


def test_a_later_deadline_replaces_the_one_before(guardian: Guardian, sent: Sent) -> None:
    guardian.read(b"100.0")
    guardian.read(b"110.0")
    assert guardian.act(99.9) == pytest.approx(9.1)
    assert sent.signals == []


def test_once_it_has_asked_nothing_takes_it_back(guardian: Guardian, sent: Sent) -> None:
    guardian.read(b"100.0")
    guardian.act(99.5)
    guardian.read(b"200.0")
    guardian.act(99.9)
    assert sent.signals[-1] == signal.SIGKILL
    assert not guardian.was_told


def test_a_group_that_the_holder_wants_ended_is_no_loss(guardian: Guardian, sent: Sent) -> None:
    guardian.read(b"100.0")
    guardian.read(b"end 50.5")
    guardian.act(50.0)
    assert signal.SIGTERM in sent.signals
    assert guardian.was_told


def test_the_end_of_the_command_leaves_nothing_to_do(guardian: Guardian, sent: Sent) -> None:
    guardian.read(b"100.0")
    guardian.read(b"done")
    assert guardian.is_over
    assert sent.signals == []


def test_before_it_knows_a_group_it_sends_nothing(sent: Sent) -> None:
    guardian = Guardian(1.0, sent)
    guardian.kill()
    assert sent.signals == []
