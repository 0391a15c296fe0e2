"""Links to the other replicas: who may speak, and the handshake that finds out.

Of two replicas the one with the higher id dials. Both begin with a Hello. A speaker is refused,
with one sentence for both logs, when it speaks another version, means somebody else, is no member,
belongs to another ensemble, or comes with an older copy of its own disk (`standings`). A replica
whose log is still empty has no ensemble yet and is welcome everywhere; whether its vote counts is
decided by its birth number, by consensus.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from coord.consensus.standing import Standing
from coord.replica.messages import VERSION, Ground, Hello, Refusal, encode
from coord.replica.standings import Standings

REASON_MAX: Final = 500
"""Characters of what another replica gives as its reason that are told."""
OUTBOX_BYTES_MAX: Final = 128 << 20
"""Unsent bytes of a link over which it is cut: consensus bounds what it has in flight to one peer,
so only a dead link gets here; after the cut the peer catches up from the log."""


class LinkTransport(Protocol):
    """The driver's half of a link."""

    address: str
    """For people."""

    @property
    def unsent_bytes(self) -> int:
        """What the socket did not take yet."""

    def vouches_for(self, peer: int, /) -> bool:
        """Whether what the other side has shown, if it had to show something, is that replica's."""

    def send(self, frame: bytes) -> None:
        """Queue one frame."""

    def close(self) -> None:
        """Close after what is queued is sent, as far as that goes at once."""


class Link:
    """One connection between two replicas."""

    __slots__ = ("birth", "dialed", "peer", "ready", "transport")

    def __init__(self, transport: LinkTransport, peer: int) -> None:
        self.transport = transport
        self.peer = peer
        """Replica id of the other side; 0: it has not said yet."""
        self.dialed = peer != 0
        self.ready = False
        self.birth = 0


class ForeignEnsembleError(Exception):
    """All other members say that this data folder belongs to another ensemble."""


class OutdatedFolderError(Exception):
    """Another member has heard of more than this data folder holds: it is an older copy."""


class Links:
    """The links of one replica: at most one ready link to each other member."""

    def __init__(
        self,
        own_id: int,
        birth: int,
        ensemble: Callable[[], int],
        members: Callable[[], frozenset[int]],
        standing: Callable[[], Standing],
        warn: Callable[[str], None],
    ) -> None:
        """`warn` takes a line each time; a fault that goes on has the same line each time."""
        self._own_id = own_id
        self._birth = birth
        self._ensemble = ensemble
        self._members = members
        self._standing = standing
        self._standings = Standings()
        self._warn = warn
        self._refused_by: set[int] = set()
        self.ready: dict[int, Link] = {}

    def dialed(self, transport: LinkTransport, peer: int) -> Link:
        """This side has opened a link to `peer`."""
        link = Link(transport, peer)
        self._greet(link)
        return link

    def accepted(self, transport: LinkTransport) -> Link:
        """Somebody has opened a link to this side."""
        return Link(transport, 0)

    def greeted(self, link: Link, message: Any) -> Link | None:
        """Judge the first message of a link.

        Returns the link when it has become ready (replacing an older one to the same peer, which
        the caller finds in `ready` before), else None. Raises ForeignEnsembleError and
        OutdatedFolderError when that is what others say of this replica.
        """
        if isinstance(message, Refusal):
            self.refused(link, message)
            return None
        if not isinstance(message, Hello):
            self._refuse(link, f"{_place(link)} did not begin with a Hello", Ground.OTHER)
            return None
        objection = self._objection(link, message)
        if objection is not None:
            self._refuse(link, *objection)
            return None
        if not link.dialed:
            link.peer = message.sender
            self._greet(link)
        link.birth = message.birth
        link.ready = True
        self._refused_by.discard(link.peer)
        return link

    def refused(self, link: Link, refusal: Refusal) -> None:
        """The other side does not accept this one; it may say so behind its own Hello.

        Raises ForeignEnsembleError and OutdatedFolderError.
        """
        link.transport.close()
        if not link.peer:  # a stranger, who knows nothing of this replica
            self._warn(f"refused by somebody at {_place(link)}")
            return
        reason = "".join(filter(str.isprintable, refusal.reason or ""))[:REASON_MAX]
        self._warn(f"refused by replica {link.peer}: {reason}")
        if refusal.ground == Ground.OUTDATED:
            raise OutdatedFolderError(
                f"the data folder is an older copy of this replica's: replica {link.peer} has"
                f" heard of more than it holds ({reason}). It has forgotten what it"
                " promised, so it must not vote. Give this replica its newest folder, or, where"
                " that is lost, an empty one: then it follows as an observer"
            )
        if refusal.ground == Ground.FOREIGN:
            self._refused_by.add(link.peer)
            others = self._members() - {self._own_id}
            if others <= self._refused_by:
                raise ForeignEnsembleError(
                    "the data folder belongs to another ensemble: "
                    f"all other replicas refuse it ({reason})"
                )

    def heard(self, link: Link, message: object) -> None:
        """Take note of what a consensus message says of its sender's disk."""
        self._standings.hear(link.peer, message)

    def lost(self, link: Link) -> bool:
        """The link's socket is gone; whether it was the ready one of its peer."""
        if self.ready.get(link.peer) is link:
            del self.ready[link.peer]
            return True
        return False

    def send(self, peer: int, frame: bytes) -> None:
        """Send to a peer if there is a link; else the message is lost, as on any network."""
        link = self.ready.get(peer)
        if link is None:
            return
        if link.transport.unsent_bytes > OUTBOX_BYTES_MAX:
            self._warn(f"replica {peer} takes nothing; its link is cut")
            link.transport.close()
            return
        link.transport.send(frame)

    def _greet(self, link: Link) -> None:
        hello = Hello(
            version=VERSION,
            ensemble=self._ensemble(),
            sender=self._own_id,
            receiver=link.peer,
            birth=self._birth,
            standing=self._standing(),
        )
        link.transport.send(encode(hello))

    def _refuse(self, link: Link, reason: str, ground: Ground) -> None:
        """Tell the other side why, and close."""
        self._warn(f"refused a replica: {reason}")
        link.transport.send(encode(Refusal(reason, ground)))
        link.transport.close()

    def _objection(self, link: Link, hello: Hello) -> tuple[str, Ground] | None:
        """Why the speaker of a Hello is not to be talked to; None when nothing is against it."""
        who = f"replica {hello.sender} at {_place(link)}"
        mistake = self._mistake(link, hello)
        if mistake:
            return f"{who} {mistake}", Ground.OTHER
        ours, theirs = self._ensemble(), hello.ensemble
        if 0 not in (ours, theirs) and ours != theirs:
            reason = f"{who} belongs to ensemble {_number(theirs)}, not to {_number(ours)}"
            return reason, Ground.FOREIGN
        known = self._standings.known(hello.sender, hello.birth)
        if hello.standing < known:
            lack = _lack(hello.standing, known)
            return f"{who} comes with an older copy of its data folder: {lack}", Ground.OUTDATED
        return None

    def _mistake(self, link: Link, hello: Hello) -> str:
        """What the speaker of a Hello has wrong; "" when it is a member and means this one."""
        if hello.version != VERSION:
            return f"speaks version {hello.version} of the peer language, not {VERSION}"
        if hello.receiver != self._own_id:
            return f"looks for replica {hello.receiver}; this is replica {self._own_id}"
        if link.dialed and hello.sender != link.peer:
            return f"answers where replica {link.peer} was expected"
        if hello.sender not in self._members() or hello.sender == self._own_id:
            return "is no other member of this ensemble"
        if not link.transport.vouches_for(hello.sender):
            return f"shows a certificate that does not name the host of replica {hello.sender}"
        return ""


def _place(link: Link) -> str:
    """Where the other side is, for people; who dials comes from another port each time."""
    address = link.transport.address
    return address if link.dialed else address.rpartition(":")[0] or address


def _number(ensemble: int) -> str:
    return f"{ensemble & (1 << 64) - 1:016x}"


def _lack(shown: Standing, known: Standing) -> str:
    """In what a folder falls short, for people."""
    if shown.promised < known.promised:
        return f"it has promised epoch {shown.promised:x}, and had promised {known.promised:x}"
    if shown.current_epoch < known.current_epoch:
        return f"it is in epoch {shown.current_epoch:x}, and was in {known.current_epoch:x}"
    return f"its log ends at entry {shown.last_index}, and went to {known.last_index}"
