"""One replica's trees: when they are flushed, and how they are sent and received."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from coord.consensus.log import Point
from coord.replica.transfers import TransferBrokenError
from tests.simulation.tree import Image

if TYPE_CHECKING:
    from tests.simulation.life import Life

CHUNK_RECORDS = 8


class Stock:
    """The trees of one life; the driver's half of transfers."""

    def __init__(self, life: "Life") -> None:
        self._life = life
        self._unflushed = 0
        self._is_flushing = False
        self._waiting: tuple[int, Image] | None = None
        """A frozen tree, and the log write that must be durable before it is flushed."""

    # ------------------------------------------------------------------------------ flushing

    def applied(self) -> None:
        """An entry was applied."""
        self._unflushed += 1

    def keep(self, handed_out: int, stored: int) -> None:
        """Begin a flush when one is due; `handed_out` is the newest log write, which covers it."""
        life = self._life
        if life.process.disk.distrust:
            return
        if self._waiting is None and not self._is_flushing and self._is_due():
            self._unflushed = 0
            replica = life.replica
            image = Image.of(replica.machine.store, replica.applied, replica.configuration)
            self._waiting = (handed_out, image)
        if self._waiting is not None and self._waiting[0] <= stored:
            image = self._waiting[1]
            self._waiting, self._is_flushing = None, True
            life.process.disk_job(self._flushed, life.process.disk.tree, image)

    def _is_due(self) -> bool:
        return self._unflushed >= self._life.process.world.plan.flush_every

    def _flushed(self, name: str, image: Image) -> None:
        self._is_flushing = False
        self._life.process.disk.flush(name, image)
        self._life.process.world.counts["premise 11"] += 1

    def installed(self) -> None:
        """Another tree is served: what was to be flushed of the old one is not."""
        self._waiting = None
        self._unflushed = 0

    def trim_to(self, lowest_transfer: int | None) -> int:
        """The log is not needed up to this entry."""
        disk, plan = self._life.process.disk, self._life.process.world.plan
        if disk.distrust:
            return 0  # another tree may begin anywhere in the log
        applied = self._life.replica.applied.index
        trim_to = min(applied - plan.log_kept, disk.images[disk.tree].point.index)
        return trim_to if lowest_transfer is None else min(lowest_transfer, trim_to)

    # ----------------------------------------------------------------- TreeStock of transfers

    def export(self, least_index: int) -> "Export | None":
        disk = self._life.process.disk
        if disk.distrust:
            return None
        image = disk.images[disk.tree]
        if image.point.index < max(1, least_index):
            self._unflushed = max(self._unflushed, self._life.process.world.plan.flush_every)
            return None
        self._life.process.world.counts["snapshot sent"] += 1
        return Export(self._life, image)

    def receive(self) -> "Import":
        return Import(self._life, self._life.process.disk.new_tree())

    def discard(self, name: str) -> None:
        disk = self._life.process.disk
        assert name != disk.tree, "the log names it"
        disk.images.pop(name, None)


class Export:
    """A flushed tree being read."""

    def __init__(self, life: "Life", image: Image) -> None:
        self.point: Point = image.point
        self.configuration = image.configuration
        self._life = life
        image.check()
        self._chunks = iter(image.chunks(CHUNK_RECORDS))

    def next_chunk(self) -> bytes | None:
        if self._life.process.world.chance(0.005):
            raise TransferBrokenError("the transfer lasted too long")
        return next(self._chunks, None)

    def close(self) -> None:
        pass


class Import:
    """A tree being received; it is durable once it is finished, and then waits for its name."""

    def __init__(self, life: "Life", name: str) -> None:
        self.name = name
        self._life = life
        self._image = Image()
        self._number = 0
        self._is_abandoned = False

    def feed(self, chunk: bytes, done: Callable[[bool], None]) -> None:
        good = self._image.take(chunk, self._number)
        self._number += 1
        self._life.process.disk_job(done, good)

    def finish(self, done: Callable[[bool], None]) -> None:
        self._life.process.disk_job(self._finished, done)

    def _finished(self, done: Callable[[bool], None]) -> None:
        if not self._is_abandoned:
            self._life.process.disk.images[self.name] = self._image
        done(not self._is_abandoned)

    def abandon(self) -> None:
        self._is_abandoned = True
        self._life.process.disk.images.pop(self.name, None)
