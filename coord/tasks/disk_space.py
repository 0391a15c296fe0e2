"""Looks at the volume of the data folder, again and again; `coord.replica.room` draws conclusions.

A disk takes some hundred megabytes a second at the most, and the reserve is larger than that.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from coord.replica.room import Room, Space

LOOK_EVERY_S: Final = 0.05
"""Between two looks; one costs about 20 µs."""


class DiskSpace:
    """The disk of one replica; `tree_bytes` gives the last two fields of a `Space`."""

    def __init__(
        self,
        path: Path,
        tree_bytes: Callable[[], tuple[int, int]],
        room: Room,
        warn: Callable[[str], None],
    ) -> None:
        self._path = path
        self._tree_bytes = tree_bytes
        self._room = room
        self._warn = warn

    def look(self) -> None:
        """Look once."""
        try:
            status = os.statvfs(self._path)
        except OSError:
            return  # a disk that cannot be asked says no more than before
        reusable_bytes, unflushed_bytes = self._tree_bytes()
        space = Space(
            total_bytes=status.f_blocks * status.f_frsize,
            free_bytes=status.f_bavail * status.f_frsize,
            reusable_bytes=reusable_bytes,
            unflushed_bytes=unflushed_bytes,
        )
        line = self._room.looked(space)
        if line:
            self._warn(line)

    async def keep_looking(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await trio.sleep(LOOK_EVERY_S)
