"""What a client says of its connection, for tests that wait for it."""

import trio

import client
from client import State


class States(client.Instrument):
    def __init__(self) -> None:
        self.told: list[State] = []
        self._changed = trio.Event()

    def state(self, state: State) -> None:
        self.told.append(state)
        self._changed.set()
        self._changed = trio.Event()

    async def wait(self, wanted: State) -> None:
        while not self.told or self.told[-1] is not wanted:
            await self._changed.wait()
