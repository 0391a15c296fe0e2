"""Who may speak to a replica, and what strangers are told."""

import pytest

from coord.replica.links import ForeignEnsembleError, Link, Links
from coord.replica.messages import VERSION, Hello, Refusal, decode


class FakeTransport:
    def __init__(self, port: int = 1) -> None:
        self.address = f"10.0.0.9:{port}"
        self.unsent_bytes = 0
        self.sent: list[object] = []
        self.closed = False
        self.shown = {1, 2, 3}

    def vouches_for(self, peer: int) -> bool:
        return peer in self.shown

    def send(self, frame: bytes) -> None:
        self.sent.append(decode(frame))

    def close(self) -> None:
        self.closed = True


def links_of(replica: int, ensemble: int = 77) -> tuple[Links, list[str]]:
    lines: list[str] = []
    made = Links(
        replica, 1000 + replica, lambda: ensemble, lambda: frozenset({1, 2, 3}), lines.append
    )
    return made, lines


def hello(sender: int, receiver: int, ensemble: int = 77, version: int = VERSION) -> Hello:
    return Hello(version, ensemble, sender, receiver, 1000 + sender)


def test_a_member_that_dials_is_greeted_and_ready() -> None:
    links, lines = links_of(1)
    transport = FakeTransport()
    link = links.accepted(transport)
    assert links.greeted(link, hello(2, 1)) is link
    assert (link.peer, link.birth, link.ready) == (2, 1002, True)
    assert transport.sent == [hello(1, 2)]
    assert lines == []


def test_a_replica_whose_log_is_empty_belongs_to_every_ensemble() -> None:
    links, _lines = links_of(1)
    assert links.greeted(links.accepted(FakeTransport()), hello(2, 1, ensemble=0)) is not None
    founding, _lines = links_of(1, ensemble=0)
    assert founding.greeted(founding.accepted(FakeTransport()), hello(2, 1)) is not None


def test_a_replica_is_refused_whose_certificate_is_that_of_another_host() -> None:
    links, lines = links_of(1)
    transport = FakeTransport()
    transport.shown = {3}
    assert links.greeted(links.accepted(transport), hello(2, 1)) is None
    line = "replica 2 at 10.0.0.9 shows a certificate that does not name the host of replica 2"
    assert transport.sent == [Refusal(line, False)]
    assert len(lines) == 1
    assert line in lines[0]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (hello(2, 1, ensemble=5), "belongs to ensemble"),
        (hello(2, 3), "looks for replica 3"),
        (hello(9, 1), "no other member"),
        (hello(1, 1), "no other member"),
        (hello(2, 1, version=9), "speaks version 9"),
        (Refusal("nonsense", False), None),
    ],
)
def test_a_stranger_is_refused_with_one_line(message: object, words: str | None) -> None:
    links, lines = links_of(1)
    for port in range(3):
        transport = FakeTransport(port)
        assert links.greeted(links.accepted(transport), message) is None
        assert transport.closed
    assert len(lines) == 1
    if words is not None:
        assert words in lines[0]
        assert isinstance(transport.sent[-1], Refusal)


def test_who_answers_in_the_place_of_another_is_refused() -> None:
    links, lines = links_of(3)
    link = links.dialed(FakeTransport(), 1)
    assert links.greeted(link, hello(2, 3)) is None
    assert "where replica 1 was expected" in lines[0]


def test_a_replica_that_all_others_call_foreign_ends() -> None:
    links, _lines = links_of(3)
    assert links.greeted(links.dialed(FakeTransport(), 1), Refusal("foreign", True)) is None
    with pytest.raises(ForeignEnsembleError, match="another ensemble"):
        links.greeted(links.dialed(FakeTransport(), 2), Refusal("foreign", True))


def test_a_link_that_takes_nothing_is_cut() -> None:
    links, lines = links_of(3)
    transport = FakeTransport()
    links.ready[1] = Link(transport, 1)
    transport.unsent_bytes = 1 << 30
    links.send(1, b"x")
    assert transport.closed
    assert lines
