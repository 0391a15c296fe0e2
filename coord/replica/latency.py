"""How long requests took: what the four-letter words call latency."""


class Latency:
    """Over the requests that waited for a commit, in ms."""

    __slots__ = ("_count", "_sum", "greatest", "least")

    def __init__(self) -> None:
        self.least = 0
        self.greatest = 0
        self._sum = 0
        self._count = 0

    def add(self, took_ms: int) -> None:
        """One more request was answered."""
        if took_ms > self.greatest:
            self.greatest = took_ms
        if took_ms < self.least or not self._count:
            self.least = took_ms
        self._sum += took_ms
        self._count += 1

    @property
    def mean(self) -> float:
        """The mean; 0 before the first."""
        return self._sum / self._count if self._count else 0.0
