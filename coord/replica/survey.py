"""Gathers a replica's `Status`; the only place that looks into all its parts at once."""

from functools import partial

from coord.consensus.configuration import Configuration
from coord.consensus.node import Node
from coord.consensus.role import RoleName
from coord.operations.machine import StateMachine
from coord.replica.replica import Replica
from coord.replica.status import ConnectionStatus, Status, Undecided

NEWEST_SHOWN = 8
"""Entries beyond the commit index of which a replica tells the epochs."""


def survey(
    replica: Replica,
    settings: tuple[tuple[str, str], ...],
    environment: tuple[tuple[str, str], ...],
    started_ms: int,
    log_syncs: int,
    warnings: tuple[str, ...],
) -> Status:
    """Describe a replica as it is now."""
    node, clients, machine = replica.node, replica.clients, replica.machine
    leads = node.established and node.leader == replica.id
    latency = clients.latency
    configuration = node.configuration
    return Status(
        replica_id=replica.id,
        mode=_mode(replica, leads=leads),
        serving=clients.lease.holds(replica.now_ms),
        epoch=node.epoch,
        leader=node.leader or 0,
        zxid=machine.zxid,
        commit_index=node.commit_index,
        applied_index=replica.applied.index,
        last_index=node.last_index,
        undecided=_undecided(node),
        digest=machine.digest,
        ensemble=configuration.ensemble if configuration is not None else 0,
        quorums=configuration.quorums if configuration is not None else "",
        missing=_missing(replica, configuration),
        room=clients.room,
        warnings=warnings + _findings(replica),
        connections=_connections(replica),
        session_count=machine.session_count,
        sessions=partial(_sessions, machine),
        ephemeral_count=machine.ephemeral_count,
        ephemerals=machine.ephemerals,
        watchers=clients.watches.watcher_count,
        watched_paths=clients.watches.path_count,
        watches=clients.watches.count,
        node_count=machine.node_count + 1,
        data_bytes=machine.data_bytes,
        outstanding=len(clients.origin.pending),
        received=clients.received_count + sum(item.received_count for item in clients.connections),
        sent=clients.sent_count + sum(item.sent_count for item in clients.connections),
        latency_ms=(latency.least, latency.mean, latency.greatest),
        uptime_ms=replica.now_ms - started_ms,
        log_syncs=log_syncs,
        peers=tuple((item.peer, item.stored, item.stored >= 0) for item in node.peers),
        majority_lag=majority_lag(node),
        settings=settings,
        environment=environment,
    )


def _connections(replica: Replica) -> tuple[ConnectionStatus, ...]:
    return tuple(
        ConnectionStatus(
            address=connection.address,
            is_secure=connection.transport.is_secure,
            queued=len(connection.queue),
            received=connection.received_count,
            sent=connection.sent_count,
            session_id=connection.session_id,
            timeout_ms=connection.timeout_ms,
            last_opcode=connection.last_operation,
        )
        for connection in replica.clients.connections
    )


def _sessions(machine: StateMachine) -> tuple[tuple[int, int], ...]:
    known = ((session, machine.session(session)) for session in machine.sessions())
    return tuple((session, item.timeout_ms) for session, item in known if item is not None)


def _undecided(node: Node) -> Undecided:
    return Undecided(
        voters=node.membership.voters,
        adopted_epoch=node.adopted_epoch,
        durable_index=node.durable_index,
        newest=node.newest_uncommitted(NEWEST_SHOWN),
    )


def _findings(replica: Replica) -> tuple[str, ...]:
    reload = ("it serves nobody: its state is fetched from the leader anew",)
    return (reload if replica.reload.is_needed else ()) + replica.clients.room.warnings()


def majority_lag(node: Node) -> int:
    """Return how many entries a leader has committed that no majority is known to have stored.

    Where few replicate, they are what the loss of those few would cost; 0 where it does not lead.
    """
    own = node.leader
    if own is None or node.role is not RoleName.LEADER:
        return 0
    voters = node.membership.voters
    stored = {item.peer: item.stored for item in node.peers if item.counts}
    stored[own] = node.durable_index
    held = sorted((stored.get(voter, -1) for voter in voters), reverse=True)
    return max(0, node.commit_index - max(0, held[len(voters) // 2]))


def _mode(replica: Replica, *, leads: bool) -> str:
    node = replica.node
    if replica.clients.admission.is_read_only:
        return "read-only"
    if not node.established or replica.reload.is_needed:
        return "looking"
    if leads:
        return "standalone" if not node.membership.others else "leader"
    return "follower" if node.membership.is_voter else "observer"


def _missing(replica: Replica, configuration: Configuration | None) -> str:
    """Which quorum the replicas that this one reaches cannot make up, in words."""
    if configuration is None:
        return (
            "" if replica.node.established else "the ensemble is not founded: it needs all voters"
        )
    reached = {replica.id, *replica.links.ready}
    system = replica.node.membership.system
    lacks = []
    if fault := system.missing_for_replication(reached):
        lacks.append(f"no replication quorum, so nothing is committed: {fault}")
    if fault := system.missing_for_election(reached):
        leads = replica.node.established
        then = "the present leader could not be replaced" if leads else "no leader can be elected"
        lacks.append(f"no election quorum, so {then}: {fault}")
    return "; ".join(lacks)
