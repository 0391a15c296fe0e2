"""Looks at the volume of the data folder, again and again; `coord.replica.room` draws conclusions.

A disk takes some hundred megabytes a second at the most, and the reserve is larger than that.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from coord.replica.room import Room, Space

LOOK_EVERY_S: Final = 0.2
"""Between two looks; one costs about 20 µs."""


class DiskSpace:
    """The disk of one replica."""

    def __init__(
        self, path: Path, reusable_bytes: Callable[[], int], room: Room, warn: Callable[[str], None]
    ) -> None:
        self._path = path
        self._reusable_bytes = reusable_bytes
        self._room = room
        self._warn = warn

    def look(self) -> None:
        """Look once."""
        try:
            status = os.statvfs(self._path)
        except OSError:
            return  # a disk that cannot be asked says no more than before
        space = Space(
            total_bytes=status.f_blocks * status.f_frsize,
            free_bytes=status.f_bavail * status.f_frsize,
            reusable_bytes=self._reusable_bytes(),
        )
        line = self._room.looked(space)
        if line:
            self._warn(line)

    async def keep_looking(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await trio.sleep(LOOK_EVERY_S)
