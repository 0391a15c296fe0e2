"""Who may speak to a replica, and what strangers are told."""

import pytest

from coord import jute
from coord.consensus.messages import Ack, Alive, Candidacy, Heartbeat, Promise
from coord.consensus.standing import Standing
from coord.replica.links import ForeignEnsembleError, Link, Links, OutdatedFolderError
from coord.replica.messages import VERSION, Ground, Hello, Refusal, decode, encode
from coord.tasks.handshakes import Complaints

HERE = Standing(0x701, 0x701, 40)


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
        replica,
        1000 + replica,
        lambda: ensemble,
        lambda: frozenset({1, 2, 3}),
        lambda: HERE,
        Complaints(lines.append, lambda: 0.0).say,
    )
    return made, lines


def hello(
    sender: int,
    receiver: int,
    ensemble: int = 77,
    version: int = VERSION,
    standing: Standing = HERE,
    birth: int = 0,
) -> Hello:
    return Hello(version, ensemble, sender, receiver, birth or 1000 + sender, standing)


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
    assert transport.sent == [Refusal(line, Ground.OTHER)]
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
        (Refusal("nonsense", Ground.OUTDATED), None),
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


def test_many_strangers_do_not_hide_what_is_wrong_with_a_member() -> None:
    links, lines = links_of(1)
    for stranger in range(10, 250):
        links.greeted(links.accepted(FakeTransport()), hello(stranger, 1))
    links.greeted(links.accepted(FakeTransport()), hello(2, 1, ensemble=5))
    assert "replica 2 at 10.0.0.9 belongs to ensemble" in lines[-1]


def test_what_others_say_cannot_fill_or_forge_the_log() -> None:
    links, lines = links_of(1)
    forged = Refusal("no\nreplica 2: all is well" + 1000 * "!", Ground.OTHER)
    links.greeted(links.accepted(FakeTransport()), forged)
    links.greeted(links.dialed(FakeTransport(), 2), forged)
    assert lines[0] == "refused by somebody at 10.0.0.9"
    assert lines[1].startswith("refused by replica 2: noreplica 2: all is well!!!")
    assert len(lines[1]) < 600


def test_a_replica_of_an_older_version_is_told_so() -> None:
    """Its Hello is shorter, and so are its refusals."""
    links, lines = links_of(1)
    frame = encode(hello(2, 1, version=3))[: -len(jute.encode(HERE))]
    assert links.greeted(links.accepted(FakeTransport()), decode(frame)) is None
    assert "speaks version 3 of the peer language" in lines[0]
    frame = encode(Refusal("speaks version 4", Ground.OTHER))[:-3]
    assert links.greeted(links.dialed(FakeTransport(), 2), decode(frame)) is None
    assert lines[1:] == ["refused by replica 2: speaks version 4"]


def test_who_answers_in_the_place_of_another_is_refused() -> None:
    links, lines = links_of(3)
    link = links.dialed(FakeTransport(), 1)
    assert links.greeted(link, hello(2, 3)) is None
    assert "where replica 1 was expected" in lines[0]


def test_a_replica_that_all_others_call_foreign_ends() -> None:
    links, _lines = links_of(3)
    assert (
        links.greeted(links.dialed(FakeTransport(), 1), Refusal("foreign", Ground.FOREIGN)) is None
    )
    with pytest.raises(ForeignEnsembleError, match="another ensemble"):
        links.greeted(links.dialed(FakeTransport(), 2), Refusal("foreign", Ground.FOREIGN))


def test_a_link_that_takes_nothing_is_cut() -> None:
    links, lines = links_of(3)
    transport = FakeTransport()
    links.ready[1] = Link(transport, 1)
    transport.unsent_bytes = 1 << 30
    links.send(1, b"x")
    assert transport.closed
    assert lines


def ack(epoch: int, stored: int) -> Ack:
    return Ack(epoch, 1002, stored, stored)


def promise(epoch: int, current_epoch: int) -> Promise:
    return Promise(epoch, 0, 1002, current_epoch, 40, (), 0)


def alive(epoch: int, stored: int) -> Alive:
    return Alive(epoch, 1, 0, 1002, stored, stored)


def heartbeat(epoch: int, stored: int) -> Heartbeat:
    return Heartbeat(77, epoch, 1, 0, 1, 1, True, 1002, stored)


@pytest.mark.parametrize(
    ("said", "shown", "lack"),
    [
        (ack(0x701, 41), HERE, "its log ends at entry 40, and went to 41"),
        (alive(0x701, 41), HERE, "its log ends at entry 40, and went to 41"),
        (heartbeat(0x701, 41), HERE, "its log ends at entry 40, and went to 41"),
        (ack(0x803, 3), HERE, "it has promised epoch 701, and had promised 803"),
        (Candidacy(77, 0x802, 1002), HERE, "it has promised epoch 701, and had promised 802"),
        (promise(0x803, 0x602), HERE, "it has promised epoch 701, and had promised 803"),
        (promise(0x803, 0x701), Standing(0x803, 0x602, 90), "it is in epoch 602, and was in 701"),
    ],
)
def test_a_replica_is_refused_that_shows_less_of_its_disk_than_it_has_said(
    said: object, shown: Standing, lack: str
) -> None:
    """AT-32: an older copy of a disk has forgotten what counts."""
    links, lines = links_of(1)
    link = links.greeted(links.accepted(FakeTransport()), hello(2, 1))
    assert link is not None
    links.heard(link, said)
    transport = FakeTransport()
    assert links.greeted(links.accepted(transport), hello(2, 1, standing=shown)) is None
    line = f"replica 2 at 10.0.0.9 comes with an older copy of its data folder: {lack}"
    assert transport.sent == [Refusal(line, Ground.OUTDATED)]
    assert lines == [f"refused a replica: {line}"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (ack(0x701, 40), HERE),
        (alive(0x803, -1), HERE),  # an answer rests on no promise that is durable
        (ack(0x803, -1), HERE),
        (heartbeat(0x701, -1), Standing(0x701, 0x602, 3)),
        (promise(0x701, 0x602), Standing(0x701, 0x602, 3)),  # what is committed took its place
        (ack(0x701, 90), Standing(0x803, 0x701, 40)),  # and so above a later promise
    ],
)
def test_what_was_said_is_borne_out_by_a_disk_that_goes_on(said: object, shown: Standing) -> None:
    links, lines = links_of(1)
    link = links.greeted(links.accepted(FakeTransport()), hello(2, 1))
    assert link is not None
    links.heard(link, said)
    assert links.greeted(links.accepted(FakeTransport()), hello(2, 1, standing=shown)) is not None
    assert lines == []


def test_a_new_disk_is_not_measured_by_the_one_before() -> None:
    """Whether it votes is decided by its birth number."""
    links, _lines = links_of(1)
    link = links.greeted(links.accepted(FakeTransport()), hello(2, 1))
    assert link is not None
    links.heard(link, ack(0x701, 41))
    new = hello(2, 1, standing=Standing(0, 0, 0), birth=5)
    link = links.greeted(links.accepted(FakeTransport()), new)
    assert link is not None
    links.heard(link, Ack(0x803, 5, 90, 90))
    older_copy = hello(2, 1, standing=Standing(0x701, 0x701, 40))  # of the one before
    assert links.greeted(links.accepted(FakeTransport()), older_copy) is None


def test_a_late_word_of_a_lost_disk_is_not_held_against_the_new_one() -> None:
    links, _lines = links_of(1)
    new = hello(2, 1, standing=Standing(0x803, 0, 0), birth=5)
    link = links.greeted(links.accepted(FakeTransport()), new)
    assert link is not None
    links.heard(link, ack(0x803, 41))
    assert links.greeted(links.accepted(FakeTransport()), new) is not None


def test_a_replica_that_is_told_of_its_older_copy_ends() -> None:
    """Whether the other one has dialled, or says so behind the Hello that it was greeted with."""
    links, _lines = links_of(3)
    refusal = Refusal("replica 3 comes with an older copy", Ground.OUTDATED)
    with pytest.raises(OutdatedFolderError, match="Give this replica its newest folder"):
        links.greeted(links.dialed(FakeTransport(), 1), refusal)
    links, _lines = links_of(1)
    link = links.greeted(links.accepted(FakeTransport()), hello(2, 1))
    assert link is not None
    with pytest.raises(OutdatedFolderError, match="must not vote"):
        links.refused(link, refusal)
