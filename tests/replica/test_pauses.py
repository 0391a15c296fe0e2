"""Clients that have to wait: what their sessions live on meanwhile."""

import socket

import pytest

from coord.replica.connections import OUTBOX_PAUSE_BYTES, QUEUE_LENGTH_MAX
from coord.tasks.client_connections import ClientSocket
from coord.tasks.hub import Hub
from tests.replica.served import Client, Served


@pytest.fixture
def served() -> Served:
    return Served()


def touched_by_tick(served: Served) -> set[int]:
    served.clients.touched.clear()
    served.clients.tick()
    return set(served.clients.touched)


def not_taking_replies(served: Served) -> Client:
    """A client with more unsent than its budget allows."""
    client = served.attached()
    client.set("/zookeeper", b"x" * 500_000)
    served.commit()
    while client.connection.outbox_bytes <= OUTBOX_PAUSE_BYTES:
        client.get("/zookeeper")
    assert client.connection.paused
    return client


def test_pings_of_a_client_that_is_not_read_from_keep_its_session(served: Served) -> None:
    client = not_taking_replies(served)
    session = client.connection.session_id
    for client.unread in (12, 24, 36):
        assert touched_by_tick(served) == {session}


def test_silence_of_a_client_that_is_not_read_from_is_silence(served: Served) -> None:
    client = not_taking_replies(served)
    client.unread = 12
    touched_by_tick(served)
    assert touched_by_tick(served) == set()


def test_a_client_whose_writes_wait_for_us_is_not_silent(served: Served) -> None:
    client = served.attached()
    for _ in range(QUEUE_LENGTH_MAX + 1):
        client.set("/zookeeper", b"")
    assert client.connection.paused
    assert touched_by_tick(served) == {client.connection.session_id}
    served.commit()
    served.clients.pauses.go_on()
    assert touched_by_tick(served) == set()


def test_the_driver_tells_what_waits_in_the_socket(served: Served) -> None:
    ours, theirs = socket.socketpair()
    hub = Hub()
    ours.setblocking(False)
    transport = ClientSocket(hub, served.clients, ours, "10.0.0.1:999")
    assert transport.unread_bytes() == 0
    theirs.sendall(b"p" * 12)
    assert transport.unread_bytes() == 12
    theirs.close()
    ours.close()
    hub.close()
