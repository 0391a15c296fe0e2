"""A machine that runs one replica: its disk, its clock, and the lives of the process."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coord.storage.errors import DamagedEntry, DamagedTree, StorageError
from tests.simulation.clock import DRIFT_PPM_MAX, MS, Clock
from tests.simulation.disk import Disk
from tests.simulation.life import Crash, Life

if TYPE_CHECKING:
    from tests.simulation.world import World

ROUND_US = 200
"""How long a round of the loop takes: what comes meanwhile is handled together in the next."""


class Process:
    """One replica's machine."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.id = number
        self.disk = self._new_disk()
        self.admitted_birth = self.disk.birth
        self.clock = self._new_clock()
        self.life: Life | None = None
        self.tick_ms = world.plan.heartbeat_ms // 2
        self.away_ms = 6 * self.tick_ms
        self.paused_until = 0
        self.slow_until = 0
        self._inbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._is_due = False
        self._busy_until = 0

    def _new_disk(self) -> Disk:
        # The first start of a disk bears a time: that of a disk which replaces it is greater.
        first_start = self.world.timeline.now // MS
        return Disk(self.world.random.randrange(1, 1 << 62), first_start)

    def _new_clock(self) -> Clock:
        draw = self.world.random.randint
        drift_ppm = draw(-DRIFT_PPM_MAX, DRIFT_PPM_MAX)
        return Clock(self.world.timeline, draw(0, 1_000_000), drift_ppm)

    @property
    def counts_as_voter(self) -> bool:
        """Whether this is a voter with the disk that it had when the ensemble was founded."""
        return self.disk.birth == self.admitted_birth and self.id <= self.world.plan.voters

    # ------------------------------------------------------------------------------- lives

    def start(self) -> None:
        """Start the process, if it does not run and its disk lets it."""
        if self.life is not None:
            return
        self.clock.offset_ms = self.world.random.randint(0, 1_000_000)
        self._inbox = []
        self.paused_until = self._busy_until = 0
        try:
            self.disk.open()
            found = self.disk.look_for_damage()
            if found:
                self.world.counts[found] += 1
                self.world.trace(found, self.id, self.disk.last_index, self.disk.hidden_last)
            if self.disk.hidden_last and self.world.plan.voters == 1:
                raise DamagedEntry(self.disk.last_index + 1)
            self.life = Life(self)
        except StorageError as error:
            self._cannot_start(error)
            return
        world, life = self.world, self.life
        world.counts["start"] += 1
        world.trace("start", self.id, self.disk.hard, self.disk.last_index)
        self._keep_ticking(life)
        for peer in world.plan.replicas:
            if peer != self.id:
                world.network.keep_dialing(max(peer, self.id), min(peer, self.id))

    def _cannot_start(self, error: StorageError) -> None:
        self.life = None
        self._note_failure(error)

    def _note_failure(self, error: StorageError) -> None:
        """The disk has ended a life: a damaged one is replaced by its operator, as one must."""
        self.world.trace("disk fails", self.id, repr(error))
        self.world.counts[f"found {type(error).__name__}"] += 1
        can_do_without = self.world.plan.voters > 1 and self.disk.may_lack_tree
        if isinstance(error, DamagedTree) and can_do_without:
            self.world.counts["tree distrusted"] += 1
            self.disk.distrust_tree()
        elif isinstance(error, DamagedEntry) and self.world.plan.voters > 1:
            self.disk.is_suspected = True
        elif not self.disk.is_full:
            self.wipe()

    def stop(self, *, is_silent: bool = False) -> None:
        """The process ends, whatever it is at; `is_silent`: its peers do not see it at once."""
        life, self.life = self.life, None
        if life is None:
            return
        what = self.disk.crash(self.world.random)
        if what:
            self.world.counts[f"fault {what}"] += 1
        if self.counts_as_voter:
            self.world.invariants.durable(self.id, self.disk.new_chains)
        self.disk.new_chains.clear()
        self.world.trace("stop", self.id, what)
        self.world.network.process_ended(life, is_silent=is_silent)
        for pipe in list(life.pipes.values()):
            pipe.server_died()
        self.world.invariants.ended(life)

    def wipe(self) -> None:
        """The disk is lost; the process starts with an empty one."""
        self.stop()
        self.world.trace("wipe", self.id)
        is_full = self.disk.is_full
        self.disk = self._new_disk()
        self.disk.is_full = is_full

    def pause(self, duration_us: int) -> None:
        """The process is stopped for a while; what comes meanwhile waits."""
        self.paused_until = max(self.paused_until, self.world.timeline.now + duration_us)

    # -------------------------------------------------------------------------- its rounds

    def input(self, life: Life, handler: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """Something has come for a life: it is handled in the next round."""
        if self.life is life:
            self._inbox.append((handler, arguments))
            if not self._is_due:
                self._make_due(max(self.world.timeline.now, self._busy_until))

    def wake_after(self, delay_us: int) -> None:
        """Have a round even if nothing comes."""
        if not self._is_due:
            self._make_due(self.world.timeline.now + delay_us)

    def _make_due(self, at: int) -> None:
        self._is_due = True
        at = max(at, self.paused_until)
        self.world.timeline.at(at - self.world.timeline.now, self._round, self.life)

    def _keep_ticking(self, life: Life) -> None:
        if self.life is life:
            self.wake_after(0)
            self.world.timeline.at(self.tick_ms * MS, self._keep_ticking, life)

    def _round(self, life: Life | None) -> None:
        self._is_due = False
        if life is None or self.life is not life:
            if self.life is not None and self._inbox:
                self._make_due(self.world.timeline.now)
            return
        if self.world.timeline.now < self.paused_until:
            self._make_due(self.paused_until)
            return
        inbox, self._inbox = self._inbox, []
        try:
            life.round(inbox)
        except Crash:
            self._crash_in_effects(life)
        except StorageError as error:
            self.stop()
            self._note_failure(error)
        self._busy_until = self.world.timeline.now + ROUND_US

    def _crash_in_effects(self, life: Life) -> None:
        """What was handed to the system before the crash goes out, as far as it got."""
        self.world.counts["fault crash between effects"] += 1
        for pipe in life.pipes.values():
            pipe.note_attachment()
        for end in life.dirty:
            if end.queue and self.world.chance(0.5):
                self.world.network.carry(end)
        self.stop()

    # -------------------------------------------------------------------------------- disk

    def _disk_us(self) -> int:
        mean_us = self.world.faults.disk_us
        if self.world.timeline.now < self.slow_until:
            mean_us *= 40
        return 20 + int(self.world.random.expovariate(1 / mean_us))

    def commit_later(self, number: int) -> None:
        """The disk begins with what was staged."""
        self.world.timeline.at(self._disk_us(), self._commit, self.life, number)

    def _commit(self, life: Life, number: int) -> None:
        if self.life is not life:
            return
        try:
            self.disk.commit()
        except StorageError as error:
            self.stop()
            self._note_failure(error)
            return
        life.input(life.stored, number)

    def disk_job(self, done: Callable[..., None], *arguments: Any) -> None:
        """Something else is done on the disk, beside the log; then the loop is told."""
        life = self.life
        assert life is not None
        self.world.timeline.at(self._disk_us(), self.input, life, done, arguments)
