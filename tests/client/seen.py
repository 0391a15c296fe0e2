"""A znode of real servers, as a test sees it: with the names that the fake's znodes have."""

import attrs

from coord.wire.records import Stat


@attrs.frozen
class Node:
    data: bytes | None
    owner: int
    creates: int
    stat_now: Stat

    def stat(self) -> Stat:
        return self.stat_now

    @property
    def version(self) -> int:
        return self.stat_now.version

    @property
    def czxid(self) -> int:
        return self.stat_now.czxid
