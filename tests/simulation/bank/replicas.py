"""Bugs of sessions, watches and exactly-once, put in at the seams around the real replica.

The replica's own modules may be compiled, so nothing in them is replaced: what comes in, what goes
out, or what consensus hands over is changed instead, to what the bug would have made of it.
"""

from collections.abc import Iterator
from struct import Struct, unpack_from

import attrs
import pytest

from coord.consensus.effects import Effects
from coord.consensus.log import EntryKind
from coord.consensus.node import Node
from coord.operations import batch
from coord.operations.internal import Internal
from coord.operations.machine import StateMachine
from coord.wire.numbers import OpCode
from tests.simulation.life import Life
from tests.simulation.pipe import Pipe

_BUNDLE = Struct(">BIQII")
_ATTACHMENT = Struct(">I")


def _rewrite_entries(patch: pytest.MonkeyPatch, rewrite) -> None:  # type: ignore[no-untyped-def]
    """Let replicas apply something else than what was committed, all of them alike."""
    kept = Life.__init__

    def initialise(life: Life, process: object) -> None:
        kept(life, process)
        take_effects = life.node.take_effects

        def taken() -> Effects:
            effects = take_effects()
            if not effects.apply:
                return effects
            # One at a time: what an entry is rewritten to depends on the state before it.
            entries = tuple(
                attrs.evolve(entry, payload=rewrite(life.clients.machine, entry.payload))
                if entry.kind == EntryKind.OPERATIONS
                else entry
                for entry in effects.apply
            )
            return attrs.evolve(effects, apply=entries)

        life.node.take_effects = taken  # type: ignore[method-assign]

    patch.setattr(Life, "__init__", initialise)


def a_batch_is_applied_twice(patch: pytest.MonkeyPatch) -> None:
    """Writes that come again are not recognised: they get the next numbers."""

    def rewrite(machine: StateMachine, payload: bytes) -> bytes:
        changed = bytearray(payload)
        for bundle in batch.bundles_of(payload):
            start, last = machine.origin(bundle.replica)
            if bundle.start == start and bundle.first <= last:
                _BUNDLE.pack_into(
                    changed, bundle.at - _BUNDLE.size,
                    bundle.replica, start, last + 1, bundle.size, bundle.end - bundle.at,
                )  # fmt: skip
        return bytes(changed)

    _rewrite_entries(patch, rewrite)


def _operations(payload: bytes, bundle: batch.Bundle) -> Iterator[batch.Operation]:
    end = bundle.at
    while end < bundle.end:
        operation = batch.operation_at(payload, end)
        end = operation[-1]
        yield operation


def a_write_under_an_old_attachment_is_applied(patch: pytest.MonkeyPatch) -> None:
    def rewrite(machine: StateMachine, payload: bytes) -> bytes:
        changed = bytearray(payload)
        for bundle in batch.bundles_of(payload):
            for session, _attachment, identities, opcode, at, _ in _operations(payload, bundle):
                known = machine.session(session)
                if known is not None and opcode not in Internal.__members__.values():
                    head_at = at - 4 - len(identities) - 2 - _ATTACHMENT.size
                    _ATTACHMENT.pack_into(changed, head_at, known.attachment)
        return bytes(changed)

    _rewrite_entries(patch, rewrite)


def an_expiry_ends_whatever_attachment_there_is(patch: pytest.MonkeyPatch) -> None:
    def rewrite(machine: StateMachine, payload: bytes) -> bytes:
        changed = bytearray(payload)
        for bundle in batch.bundles_of(payload):
            for *_, opcode, at, _ in _operations(payload, bundle):
                if opcode == Internal.EXPIRE:
                    known = machine.session(unpack_from(">q", payload, at)[0])
                    if known is not None:
                        _ATTACHMENT.pack_into(changed, at + 8, known.attachment)
        return bytes(changed)

    _rewrite_entries(patch, rewrite)


def a_resumed_leader_expires_before_it_reads(patch: pytest.MonkeyPatch) -> None:
    """The loop does not notice that it was away, and looks for silent sessions first."""
    kept = Life.round

    def round_(life: Life, inbox: list) -> None:  # type: ignore[type-arg]
        replica, now_ms = life.replica, life.process.clock.now_ms()
        life._was_away = False
        life._last_round_ms = now_ms
        if now_ms >= life._next_tick_ms:
            life._next_tick_ms = now_ms + life.process.tick_ms
            replica.wake(now_ms)
            replica.tick(was_away=False)
        kept(life, inbox)

    patch.setattr(Life, "round", round_)


def a_deposed_leader_gives_leases(patch: pytest.MonkeyPatch) -> None:
    """A leader that hears nobody answers reports, so pings, while another ends sessions."""
    patch.setattr(Node, "contact_ms", property(lambda node: node._core.now_ms))


def a_watch_event_after_the_reply(patch: pytest.MonkeyPatch) -> None:
    def replies(_pipe: Pipe, frames: list[bytes]) -> list[bytes]:
        events = [frame for frame in frames if unpack_from(">i", frame, 4)[0] == -1]
        return [frame for frame in frames if frame not in events] + events

    patch.setattr(Pipe, "replies", replies)


def a_watch_event_is_dropped(patch: pytest.MonkeyPatch) -> None:
    def replies(pipe: Pipe, frames: list[bytes]) -> list[bytes]:
        is_event = [unpack_from(">i", frame, 4)[0] == -1 for frame in frames]
        if len(frames) < 8:
            return frames
        return [frame for frame, drop in zip(frames, is_event, strict=True) if not drop]

    patch.setattr(Pipe, "replies", replies)


def watches_set_again_from_now_on(patch: pytest.MonkeyPatch) -> None:
    """setWatches compares with the replica's own zxid, not with the one that the client names."""

    def requests(pipe: Pipe, data: bytes) -> bytes:
        if len(data) > 20 and unpack_from(">i", data, 8)[0] == OpCode.SET_WATCHES:
            zxid = pipe.life.clients.machine.zxid
            return data[:12] + zxid.to_bytes(8) + data[20:]
        return data

    patch.setattr(Pipe, "requests", requests)


def a_snapshot_installed_under_live_watches(patch: pytest.MonkeyPatch) -> None:
    """Connections are not closed when the tree is replaced: they are out of sight at that time."""
    initialise, install = Life.__init__, Life.install

    def initialise_blind(life: Life, process: object) -> None:
        initialise(life, process)
        take_effects = life.node.take_effects

        def taken() -> Effects:
            effects = take_effects()
            if effects.install is not None:
                life.hidden, life.clients.connections = life.clients.connections, set()
            return effects

        life.node.take_effects = taken  # type: ignore[method-assign]

    def install_blind(life: Life) -> StateMachine:
        # A replica that reloads its state has none to hide.
        life.clients.connections = life.__dict__.pop("hidden", life.clients.connections)
        return install(life)

    patch.setattr(Life, "__init__", initialise_blind)
    patch.setattr(Life, "install", install_blind)


BUGS = (
    a_batch_is_applied_twice,
    a_write_under_an_old_attachment_is_applied,
    an_expiry_ends_whatever_attachment_there_is,
    a_resumed_leader_expires_before_it_reads,
    a_deposed_leader_gives_leases,
    a_watch_event_after_the_reply,
    a_watch_event_is_dropped,
    watches_set_again_from_now_on,
    a_snapshot_installed_under_live_watches,
)
