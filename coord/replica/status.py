"""What a replica says of itself: one record, rendered by the four-letter words."""

from collections.abc import Callable, Generator

import attrs

from coord.replica.room import Room


@attrs.frozen
class ConnectionStatus:
    """One client connection."""

    address: str
    """Peer as host:port."""
    is_secure: bool
    """Whether it is over TLS."""
    queued: int
    """Requests without an answer."""
    received: int
    """Requests so far."""
    sent: int
    """Replies so far."""
    session_id: int
    """0: not attached."""
    timeout_ms: int
    """Negotiated session timeout."""
    last_opcode: int
    """Op code of the newest request."""


@attrs.frozen
class Undecided:
    """What may become of the end of the log depends on this, and on the same of the others."""

    voters: tuple[int, ...]
    """Who decides: replica ids, ascending."""
    adopted_epoch: int
    """Epoch whose leader's history is on the disk; a later one may be promised."""
    durable_index: int
    """Newest entry that is on the disk."""
    newest: tuple[tuple[int, int], ...]
    """Index and epoch of the newest entries that are not known to be committed, a few."""


@attrs.frozen
class Status:
    """A replica at one moment."""

    replica_id: int
    """Its id."""
    mode: str
    """"leader", "follower", "observer", "standalone", "read-only" or "looking"."""
    serving: bool
    """Whether it has a leader that a quorum confirms (its lease holds)."""
    epoch: int
    """Epoch it follows or leads."""
    leader: int
    """Replica id of the leader; 0: none known."""
    zxid: int
    """Newest operation applied here."""
    commit_index: int
    """Newest entry known to be committed."""
    applied_index: int
    """Newest entry applied here."""
    last_index: int
    """Newest entry in the log."""
    undecided: Undecided
    """What is known of entries that are not committed."""
    digest: int
    """Digest over all paths, data, ACLs, stats and sessions."""
    ensemble: int
    """Ensemble id; 0: not founded yet."""
    quorums: str
    """Text form of the quorum system in force."""
    missing: str
    """Which quorum cannot be had, in words; empty: none."""
    room: Room
    """What it knows of the room on the disks."""
    warnings: tuple[str, ...]
    """What an operator should look at."""
    connections: tuple[ConnectionStatus, ...]
    """All client connections here."""
    session_count: int
    """Sessions of the whole ensemble."""
    sessions: Callable[[], tuple[tuple[int, int], ...]]
    """Gives session id and timeout in ms of each; takes as long as there are many."""
    ephemeral_count: int
    """Ephemeral znodes."""
    ephemerals: Callable[[], Generator[tuple[int, list[bytes]], None, None]]
    """Goes through session ids and ephemeral paths; one with many comes several times."""
    watchers: int
    """Connections with a watch."""
    watched_paths: int
    """Paths that are watched."""
    watches: int
    """All watches."""
    node_count: int
    """Znodes, /zookeeper included; the root counts twice, as in ZooKeeper."""
    data_bytes: int
    """Approximate size of all data and paths."""
    outstanding: int
    """Writes of this replica's clients that wait for a commit."""
    received: int
    """Requests so far."""
    sent: int
    """Replies so far."""
    latency_ms: tuple[int, float, int]
    """Least, mean and greatest time that a write took."""
    uptime_ms: int
    """Since the start of the process."""
    log_syncs: int
    """Durable writes of the log so far."""
    peers: tuple[tuple[int, int, bool], ...]
    """Leader only: replica id, newest entry it holds, whether it is in step."""
    majority_lag: int
    """Leader only: entries that are committed and not yet on a majority."""
    settings: tuple[tuple[str, str], ...]
    """Configuration as the word `conf` prints it."""
    environment: tuple[tuple[str, str], ...]
    """Host and interpreter as the word `envi` prints them."""
