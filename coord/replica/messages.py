"""What replicas say to each other besides consensus: one record a message, tags from 128 on.

A frame between replicas is a tag byte and a body; tags below 128 are consensus messages, which
this module passes through unread.
"""

from enum import IntEnum
from typing import Any, Final

import attrs

from coord import jute
from coord.consensus import messages as consensus_messages
from coord.consensus.standing import Standing

VERSION: Final = 4
"""Version of this language; replicas of another one are refused at the handshake."""


class PeerMessageError(ValueError):
    """Bytes from a peer that are no message; the link is closed."""


@attrs.frozen
class Hello:
    """First message of both ends of a link: who speaks."""

    TAG = 128
    version: jute.Int
    """Language spoken: VERSION."""
    ensemble: jute.Long
    """Id of the ensemble as the speaker's log has it; 0: its log is empty."""
    sender: jute.Int
    """Replica id of the speaker."""
    receiver: jute.Int
    """Replica id that the speaker believes to talk to."""
    birth: jute.Long
    """Birth number of the speaker's data folder."""
    standing: Standing
    """How far that folder has come."""


class Ground(IntEnum):
    """Why a Hello is not accepted, as far as it matters to the refused one."""

    OTHER = 0
    """It is no member, or a misunderstanding."""
    FOREIGN = 1
    """Its data folder belongs to another ensemble."""
    OUTDATED = 2
    """Its data folder is an older copy of its own."""


@attrs.frozen
class Refusal:
    """Answer to a Hello that is not accepted; the link is closed after it."""

    TAG = 129
    reason: jute.Text
    """One sentence for the log of the refused one."""
    ground: jute.Int
    """A Ground."""


@attrs.frozen
class Forward:
    """Follower to leader: writes of the follower's clients, to be proposed in this order."""

    TAG = 130
    bundle: jute.Buffer
    """An encoded bundle: origin, first number, operations."""


@attrs.frozen
class Report:
    """Replica to leader, every heartbeat: I live, and these sessions were heard."""

    TAG = 131
    sent_ms: jute.Long
    """Clock of the sender when it was sent; only the sender interprets it."""
    sessions: jute.Vector[jute.Long]
    """Sessions heard since the last report that was echoed."""
    index: jute.Long
    """Newest entry that the sender has applied; 0: it has no state to compare."""
    digest: jute.Long
    """Digest of its state right after that entry, as a signed number."""
    is_short: jute.Bool
    """The sender's disk is nearly full."""


@attrs.frozen
class Echo:
    """Leader to replica: it was still leading, by a quorum's word, after the report came."""

    TAG = 132
    sent_ms: jute.Long
    """`sent_ms` of the report, given back."""
    differs_at: jute.Long
    """An entry after which the receiver's state is wrong; 0: as far as is known it is right."""
    is_short: jute.Bool
    """No replication quorum has room on its disks: writes that take room are to be refused."""


@attrs.frozen
class BarrierRequest:
    """Replica to leader: where must I be to read all that was acknowledged before this."""

    TAG = 133
    token: jute.Long
    """Number of the question, given back."""


@attrs.frozen
class BarrierReply:
    """Leader to replica: answer to a BarrierRequest."""

    TAG = 134
    token: jute.Long
    """Number of the question."""
    index: jute.Long
    """The entry to have applied."""


@attrs.frozen
class SnapshotOffer:
    """Leader to a replica that is too far behind: a whole tree follows in chunks."""

    TAG = 135
    transfer: jute.Long
    """Number of the transfer; chunks and answers carry it."""
    epoch: jute.Long
    """Epoch of the leader that sends."""
    index: jute.Long
    """The tree is the state after this entry."""
    index_epoch: jute.Long
    """Epoch of that entry."""
    chain: jute.Unsigned
    """Chain checksum of that entry."""
    configuration: jute.Buffer
    """The configuration in force at that entry, encoded."""


@attrs.frozen
class SnapshotChunk:
    """Leader to replica: the next part of a tree."""

    TAG = 136
    transfer: jute.Long
    """Number of the transfer."""
    number: jute.Long
    """Chunks count from 0."""
    last: jute.Bool
    """Whether it is the final one."""
    content: jute.Buffer
    """A chunk as storage made it, with its own checksum; None: the transfer is broken off."""


@attrs.frozen
class SnapshotAnswer:
    """Replica to leader: a chunk is stored, or the transfer is over."""

    TAG = 137
    transfer: jute.Long
    """Number of the transfer."""
    number: jute.Long
    """The chunk that was taken; -1: give up, the receiver cannot use the transfer."""


@attrs.frozen
class TreeRequest:
    """Replica to leader: my state cannot be trusted; offer me yours."""

    TAG = 138
    least_index: jute.Long
    """As of this entry or a later one: the log of the sender begins after it."""


_OWN: tuple[type, ...] = (
    Hello,
    Refusal,
    Forward,
    Report,
    Echo,
    BarrierRequest,
    BarrierReply,
    SnapshotOffer,
    SnapshotChunk,
    SnapshotAnswer,
    TreeRequest,
)
_OF_ANY_VERSION: Final = (Hello, Refusal)
"""What is understood as far as it goes, so that both sides can say which versions they speak."""
_LACKING: Final = bytes(32)
"""Those of older versions are shorter: what is missing at the end is read as 0. (Of version 3's
refusals the last field was a Bool, which is no Ground here: the reason says enough.)"""
_BY_TAG: dict[int, type] = {record.TAG: record for record in _OWN}  # type: ignore[attr-defined]


def encode(message: Any) -> bytes:
    """Write a message as a tag byte and its body."""
    tag = type(message).TAG
    if tag < 128:
        return consensus_messages.encode(message)
    return bytes((tag,)) + jute.encode(message)


def decode(frame: bytes) -> Any:
    """Read a message; raises PeerMessageError."""
    if not frame:
        raise PeerMessageError("an empty frame is no message")
    try:
        if frame[0] < 128:
            return consensus_messages.decode(frame)
        record = _BY_TAG.get(frame[0])
        if record is None:
            raise PeerMessageError(f"no message has the tag {frame[0]}")
        if record in _OF_ANY_VERSION:
            frame += _LACKING
        return jute.decode(record, frame, 1)[0]
    except jute.DecodeError as error:
        raise PeerMessageError(f"malformed message with tag {frame[0]}: {error}") from error
