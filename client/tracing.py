"""Traces and figures for OpenTelemetry: needs the extra `coord[opentelemetry]`.

    async with connect(hosts, instruments=[OpenTelemetryInstrument()]) as zk:

Each request is a span in the trace of the task that makes it. Paths are attributes of spans, and of
the figures of locks, but not of those of requests: there would be too many series.
"""

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from client.instruments import Call, Instrument, State
from coord.wire.numbers import EventType


class OpenTelemetryInstrument(Instrument):
    """Spans of requests; figures of requests, events, states and locks."""

    def __init__(
        self, tracer: trace.Tracer | None = None, meter: metrics.Meter | None = None
    ) -> None:
        """None: the tracer and the meter that the process was set up with."""
        self._tracer = tracer if tracer is not None else trace.get_tracer("coord.client")
        meter = meter if meter is not None else metrics.get_meter("coord.client")
        histogram, counter = meter.create_histogram, meter.create_counter
        self._requests = histogram(
            "coord.client.request", unit="s", description="From a request to its outcome."
        )
        self._waits = histogram(
            "coord.client.lock_wait", unit="s", description="How long locks were waited for."
        )
        self._holds = histogram(
            "coord.client.lock_hold", unit="s", description="How long locks were held."
        )
        self._losses = counter("coord.client.locks_lost", description="Locks that were lost.")
        self._events = counter("coord.client.watch_events", description="Events of watches.")
        self._states = counter("coord.client.states", description="Changes to each state.")
        self._spans: dict[Call, Span] = {}
        """Of requests under way; each has its reply, so none stays."""

    def request(self, call: Call) -> None:  # noqa: D102
        name = call.opcode.name.lower()
        self._spans[call] = self._tracer.start_span(
            f"coord {name}",
            kind=SpanKind.CLIENT,
            attributes={"coord.operation": name, "coord.path": call.path},
        )

    def reply(self, call: Call, error: int | None, seconds: float) -> None:  # noqa: D102
        span = self._spans.pop(call)
        attributes: dict[str, str | int] = {"coord.operation": call.opcode.name.lower()}
        if error is None:
            span.set_attribute("coord.given_up", value=True)
        elif error:
            span.set_attribute("coord.error", error)
            span.set_status(Status(StatusCode.ERROR))
            attributes["coord.error"] = error
        span.end()
        self._requests.record(seconds, attributes)

    def watch(self, kind: EventType, path: str) -> None:  # noqa: ARG002, D102
        self._events.add(1, {"coord.event": kind.name.lower()})

    def state(self, state: State) -> None:  # noqa: D102
        self._states.add(1, {"coord.state": state.value})

    def lock_waited(self, path: str, token: int, seconds: float) -> None:  # noqa: ARG002, D102
        self._waits.record(seconds, {"coord.path": path})

    def lock_held(self, path: str, token: int, seconds: float) -> None:  # noqa: ARG002, D102
        self._holds.record(seconds, {"coord.path": path})

    def lock_lost(self, path: str, token: int, reason: str) -> None:  # noqa: ARG002, D102
        self._losses.add(1, {"coord.path": path})
