"""Handing requests to the connection there is, in their order, and waiting for one if need be."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio

from client.errors import Away, ForeignUse, SessionChanged
from client.hosts import Hosts
from client.instruments import Call, Instruments
from client.link import Link
from client.pending import Decode, Pending, PendingRequest
from client.session import Session
from coord.jute import EncodeError
from coord.wire.connection import Reply
from coord.wire.numbers import OpCode


@attrs.frozen(eq=False)
class Waiting:
    """A task that waits for a connection with room."""

    since: float
    """Since when, by Trio's clock."""
    requests: Sequence[Pending]
    """What it will send."""
    session: Session | None
    """What that is pinned to, if it is."""


class Exchange:
    """What a client asks, and what it is answered; whoever inherits sees to the connection."""

    def __init__(self, instruments: Instruments, hosts: Hosts) -> None:
        self.instruments = instruments
        """Are told of what happens; recipes tell them of locks."""
        self.own = hosts.own
        """Takes the chroot off a path: what errors name is what the caller knows."""
        self._link: Link | None = None
        self._refusal: Exception | None = None
        """Why no more requests are taken; those that wait already go on."""
        self._failure: Exception | None = None
        """Why nothing goes on."""
        self._lot = trio.lowlevel.ParkingLot()
        self._waiting: dict[Waiting, None] = {}
        """Who waits for room, in this order; those included that were woken and did not run yet."""
        self._idle: trio.Event | None = None
        """Set when there may be nothing left to wait for; None: nobody wants to know."""
        self._numbered = 0
        self._process = os.getpid()
        self._run = trio.lowlevel.current_trio_token()

    async def call(
        self,
        opcode: OpCode,
        request: object,
        session: Session | None = None,
        then: Callable[[Reply], None] | None = None,
        *,
        decode: Decode | None = None,
        waits: bool = True,
    ) -> Any:
        """Send a request once there is a connection; return what `decode` makes of its reply.

        That is the record which answers it, if not said otherwise. A request pinned to a session is
        not sent in another one: SessionChanged. `then` is called with the reply before anything
        that follows it on the wire is looked at. Without `waits`, raise Away when there is none.
        """
        pending = Pending(opcode, request, then)
        if self.instruments:
            await self._observed(pending, session, waits=waits)
        else:
            await self.exchange(pending, session, waits=waits)
        return pending.decoded(decode, self.own)

    async def exchange(
        self, pending: Pending, session: Session | None = None, *, waits: bool = True
    ) -> None:
        """Send a request, and wait until it is answered or lost."""
        self.check_use()
        await trio.lowlevel.checkpoint_if_cancelled()  # what is cancelled is not sent
        while True:
            link = self._link
            if link is None or link.room <= 0 or session is not None or self._failure is not None:
                link = await self.room(session, waits=waits, requests=(pending,))
            link.post(pending)
            await pending.settled()
            if not pending.is_unsent:
                return
            pending.renew()

    async def exchange_all(self, requests: Sequence[Pending], *, waits: bool = True) -> None:
        """Send requests in their order, and wait until each has an outcome.

        Without `waits`, Away is that of those which cannot be sent.
        """
        self.check_use()
        await trio.lowlevel.checkpoint_if_cancelled()
        began = trio.current_time()
        calls = [self.observe(each) for each in requests] if self.instruments else []
        try:
            left = requests
            while left:
                await self._post_all(left, waits=waits)
                for each in reversed(left):  # replies come in order: the last one is waited for
                    if not each.is_settled:
                        await each.settled()
                left = [each for each in left if each.is_unsent]
                for each in left:
                    each.renew()
        finally:
            for call, each in zip(calls, requests, strict=False):
                self.instruments.reply(call, each.error, trio.current_time() - began)

    async def _post_all(self, requests: Sequence[Pending], *, waits: bool) -> None:
        for number, each in enumerate(requests):
            link = self._link
            if link is None or link.room <= 0 or self._failure is not None:
                try:
                    link = await self.room(waits=waits, requests=requests[number:])
                except Away as away:
                    for unsent in requests[number:]:
                        unsent.settle(away)
                    return
            try:
                link.post(each)
            except EncodeError as error:
                each.settle(error)

    def post(self, opcode: OpCode, request: object) -> None:
        """Send a request whose outcome nobody waits for, if there is a connection with room."""
        if self._link is not None and self._link.room > 0:
            self._link.post(Pending(opcode, request))

    def pending(self) -> list[PendingRequest]:
        """Return the requests that have no outcome: first those that were sent, in their order."""
        now = trio.current_time()
        return [
            *(() if self._link is None else self._link.unanswered()),
            *(
                request.seen(now - waiting.since, waiting.session, is_sent=False)
                for waiting in self._waiting
                for request in waiting.requests
            ),
        ]

    async def room(
        self,
        session: Session | None = None,
        *,
        waits: bool = True,
        requests: Sequence[Pending] = (),
    ) -> Link:
        """Return the connection once there is one with room for another request.

        `requests` are those that wait meanwhile: see `pending`.
        """
        waiting: Waiting | None = None
        while True:
            if self._failure is not None:
                raise self._failure
            if session is not None and session.ended is not None:
                self._on_room()  # the room that woke us is for somebody else
                raise SessionChanged(session.ended)
            link = self._link
            is_there = link is not None and link.lost is None
            if link is not None and link.room > 0 and session in (None, link.session):
                return link
            if not is_there and not waits:
                raise Away("there is no connection")
            waiting = waiting or Waiting(trio.current_time(), requests, session)
            self._waiting[waiting] = None
            try:
                await self._lot.park()
            finally:
                del self._waiting[waiting]
                if self._idle is not None:
                    self._idle.set()

    async def aside(self, post: Callable[[Link], Pending], session: Session | None) -> Reply:
        """Send what goes beside the other requests, as a ping; return its reply."""
        self.check_use()
        while True:
            pending = post(await self.room(session))
            await pending.settled()
            if not pending.is_unsent:
                return pending.reply

    def check_use(self) -> None:
        """Raise ClientClosed after the end, and ForeignUse where this client does not belong."""
        if self._refusal is not None:
            raise self._refusal
        if self.is_forked:
            raise ForeignUse("this is a fork of the process that connected: connect anew in it")
        if trio.lowlevel.current_trio_token() is not self._run:
            raise ForeignUse("another run of Trio connected: connect anew in this one")

    @property
    def is_forked(self) -> bool:
        """Whether this is a copy in another process, where the connection is not its own."""
        return os.getpid() != self._process

    def observe(self, pending: Pending) -> Call:
        """Tell the instruments of a request."""
        self._numbered += 1
        call = Call(self._numbered, pending.opcode, pending.path)
        self.instruments.request(call)
        return call

    async def _observed(self, pending: Pending, session: Session | None, *, waits: bool) -> None:
        began = trio.current_time()
        call = self.observe(pending)
        try:
            await self.exchange(pending, session, waits=waits)
        finally:
            self.instruments.reply(call, pending.error, trio.current_time() - began)

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
        self._wake()

    def _wake(self) -> None:
        """Let everybody look again who waits for a connection."""
        if self._lot:
            self._lot.unpark_all()
        if self._idle is not None:
            self._idle.set()

    def _on_room(self) -> None:
        """Let so many look again who wait for a connection as it has room for."""
        room = 0 if self._link is None else self._link.room
        if self._lot and room > 0:
            self._lot.unpark(count=room)
        if self._idle is not None:
            self._idle.set()
