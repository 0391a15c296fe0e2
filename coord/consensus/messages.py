"""What replicas say to each other about the log: one record per message.

Any message may be lost, repeated, late or out of order. Each is true for ever in the epoch that it
names: an epoch has one owner and is used in one life of that owner, and the entries of its log
never change. So a message from the past is either still true or names an epoch that is over.
"""

from typing import ClassVar

import attrs

from coord import jute
from coord.consensus.log import Entry


@attrs.frozen
class Mark:
    """A place in the sender's log: two logs with one chain at one index agree up to there."""

    index: jute.Long
    """Index of an entry; 0 is the place before the first."""
    chain: jute.Unsigned
    """Chain there."""


@attrs.frozen
class Canvass:
    """Would you promise me an epoch? To all voters, before a candidacy; binds nobody."""

    TAG: ClassVar[int] = 1

    ensemble: jute.Long
    """The ensemble's number; 0 while the sender's log holds no configuration."""
    birth: jute.Long
    """Birth number of the sender's disk."""
    nonce: jute.Long
    """Drawn for this canvass; the reply repeats it."""
    empty: jute.Bool
    """The sender has no history: it can only found an ensemble."""
    succeeds: jute.Long
    """The epoch whose leader asked for this; 0 when the sender stands of itself."""


@attrs.frozen
class CanvassReply:
    """The answer to a Canvass: no, while the sender hears a leader."""

    TAG: ClassVar[int] = 2

    nonce: jute.Long
    """The canvass that is answered."""
    birth: jute.Long
    """Birth number of the sender's disk."""
    granted: jute.Bool
    """The sender would promise."""
    promised: jute.Long
    """The sender's promised epoch: a candidacy must be above it."""


@attrs.frozen
class Candidacy:
    """Promise me this epoch. To all voters, once the candidate's own promise is durable."""

    TAG: ClassVar[int] = 3

    ensemble: jute.Long
    """As in Canvass."""
    epoch: jute.Long
    """The epoch, owned by the sender."""
    birth: jute.Long
    """Birth number of the sender's disk."""


@attrs.frozen
class Promise:
    """The sender listens to no epoch below this one, durably; and this is its history.

    The answer to a Candidacy, and to the Heartbeat of an epoch whose history the sender has not.
    """

    TAG: ClassVar[int] = 4

    epoch: jute.Long
    """The promised epoch."""
    round: jute.Long
    """The heartbeat that is answered; 0 for a Candidacy."""
    birth: jute.Long
    """Birth number of the sender's disk."""
    current_epoch: jute.Long
    """The epoch whose history the sender holds."""
    last_index: jute.Long
    """Its last index."""
    marks: jute.Items[Mark]
    """Places of the sender's log from its last entry down to what it knows to be committed."""
    owed: jute.Long
    """Where the log ended before its end was lost, in that current epoch; 0: it is whole."""

    @property
    def is_whole(self) -> bool:
        """The sender can read all that it stored: it is a witness of what may be committed."""
        return self.owed == 0


@attrs.frozen
class Refusal:
    """The sender has promised a later epoch than the one it was addressed in."""

    TAG: ClassVar[int] = 5

    epoch: jute.Long
    """The epoch of the message that is refused."""
    promised: jute.Long
    """The promise that stands against it."""


@attrs.frozen
class Fetch:
    """Send me your history. From a candidate to the promiser whose history is the best."""

    TAG: ClassVar[int] = 6

    epoch: jute.Long
    """The epoch that the receiver has promised."""
    marks: jute.Items[Mark]
    """Places which the candidate has; the reply begins at the latest they share."""


@attrs.frozen
class History:
    """The answer to Fetch: a piece of the sender's history."""

    TAG: ClassVar[int] = 7

    epoch: jute.Long
    """The epoch of the Fetch."""
    before: Mark
    """Where the piece begins."""
    last_index: jute.Long
    """Where the sender's history ends."""
    entries: jute.Items[Entry]
    """The entries that follow `before`; none when the sender has trimmed what would."""


@attrs.frozen
class Propose:
    """Entries of the leader's log. From the leader to every member.

    A member that has not adopted the epoch gathers them until they reach `initial`, and then
    stores all of them and the epoch at once: that is Zab's NEWLEADER.
    """

    TAG: ClassVar[int] = 8

    epoch: jute.Long
    """The leader's epoch."""
    initial: jute.Long
    """Last index of the leader's initial history."""
    before: Mark
    """The place that the entries follow."""
    commit_index: jute.Long
    """Entries up to here are committed."""
    entries: jute.Items[Entry]
    """In order; possibly none."""


@attrs.frozen
class Ack:
    """What the sender holds of the leader's log. From a member, after the write it rests on."""

    TAG: ClassVar[int] = 9

    epoch: jute.Long
    """The leader's epoch."""
    birth: jute.Long
    """Birth number of the sender's disk."""
    stored: jute.Long
    """Durable up to this index, the epoch adopted; -1 while the epoch is not durably adopted."""
    gathered: jute.Long
    """Held in memory up to this index; -1 when nothing of this epoch was received."""


@attrs.frozen
class Commit:
    """Entries up to an index are committed. From the leader to every member."""

    TAG: ClassVar[int] = 10

    epoch: jute.Long
    """The leader's epoch."""
    index: jute.Long
    """The commit index."""


@attrs.frozen
class Heartbeat:
    """I lead. From the leader to every member, at intervals and to confirm reads."""

    TAG: ClassVar[int] = 11

    ensemble: jute.Long
    """The ensemble's number."""
    epoch: jute.Long
    """The leader's epoch."""
    round: jute.Long
    """Number of this heartbeat in its epoch, from 1."""
    sent_ms: jute.Long
    """When it was sent, by the sender's clock; the reply repeats it."""
    initial: jute.Long
    """Last index of the leader's initial history."""
    commit_index: jute.Long
    """Entries up to here are committed."""
    is_quorate: jute.Bool
    """A replication quorum answers the leader; without one, nobody should wait for it."""
    birth: jute.Long
    """Birth number of the sender's disk."""
    stored: jute.Long
    """Durable at the sender up to this index; -1 while its epoch is not durably adopted."""


@attrs.frozen
class Alive:
    """My promise is still your epoch. The answer to a Heartbeat."""

    TAG: ClassVar[int] = 12

    epoch: jute.Long
    """The leader's epoch: what the sender has promised, and nothing later."""
    round: jute.Long
    """The heartbeat that is answered."""
    sent_ms: jute.Long
    """Of that heartbeat."""
    birth: jute.Long
    """Birth number of the sender's disk."""
    stored: jute.Long
    """As in Ack."""
    gathered: jute.Long
    """As in Ack."""


@attrs.frozen
class TakeOver:
    """Stand at once. From a leader that leaves, or a candidate that is too far behind."""

    TAG: ClassVar[int] = 13

    epoch: jute.Long
    """The epoch of the sender."""


@attrs.frozen
class Lost:
    """I had these entries and cannot read them: who has them? To all members; see `mending`."""

    TAG: ClassVar[int] = 14

    ensemble: jute.Long
    """As in Canvass."""
    before: Mark
    """The sender's log is whole up to here."""
    until: Mark
    """It went up to here."""


@attrs.frozen
class Found:
    """The answer to Lost, from whoever holds both of its places."""

    TAG: ClassVar[int] = 15

    before: Mark
    """The place that the entries follow."""
    entries: jute.Items[Entry]
    """In order, at least one; perhaps not all."""


Message = (
    Canvass
    | CanvassReply
    | Candidacy
    | Promise
    | Refusal
    | Fetch
    | History
    | Propose
    | Ack
    | Commit
    | Heartbeat
    | Alive
    | TakeOver
    | Lost
    | Found
)

MESSAGES: dict[int, type[Message]] = {
    cls.TAG: cls
    for cls in (
        Canvass,
        CanvassReply,
        Candidacy,
        Promise,
        Refusal,
        Fetch,
        History,
        Propose,
        Ack,
        Commit,
        Heartbeat,
        Alive,
        TakeOver,
        Lost,
        Found,
    )
}
"""Every message by its tag."""

_TAGS = {cls: bytes([tag]) for tag, cls in MESSAGES.items()}


def encode(message: Message) -> bytes:
    """Return the bytes of a message: its tag, then its record."""
    return _TAGS[type(message)] + jute.encode(message)


def decode(data: bytes) -> Message:
    """Read a message that fills `data`; raise jute.DecodeError where it is none."""
    if not data or data[0] not in MESSAGES:
        raise jute.DecodeError(f"no message has the tag {data[:1]!r}")
    cls = MESSAGES[data[0]]
    message, end = jute.decode(cls, data, 1)
    if end != len(data):
        raise jute.DecodeError(f"{cls.__name__}: {len(data) - end} bytes left over")
    return message
