"""The look at the disk: what is asked of the system, and what reaches the replica."""

from pathlib import Path

import trio

from coord.replica.room import Room
from coord.tasks.disk_space import LOOK_EVERY_S, DiskSpace


def test_a_look_is_at_the_volume_of_the_data_folder(tmp_path: Path) -> None:
    room = Room()
    DiskSpace(tmp_path, lambda: (7, 5), room, lambda _line: None).look()
    assert room.space is not None
    assert 0 < room.space.free_bytes <= room.space.total_bytes
    assert (room.space.reusable_bytes, room.space.unflushed_bytes) == (7, 5)


def test_a_folder_that_cannot_be_asked_changes_nothing(tmp_path: Path) -> None:
    room = Room()
    DiskSpace(tmp_path / "gone", lambda: (0, 0), room, lambda _line: None).look()
    assert room.space is None
    assert not room.is_refused


async def test_the_looks_come_at_a_bounded_rate(tmp_path: Path, autojump_clock: object) -> None:
    looks = []
    room = Room()

    def tree_bytes() -> tuple[int, int]:
        looks.append(trio.current_time())
        return 0, 0

    with trio.move_on_after(LOOK_EVERY_S * 10.5):
        await DiskSpace(tmp_path, tree_bytes, room, lambda _line: None).keep_looking()
    assert len(looks) == 11
