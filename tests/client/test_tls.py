"""Encrypted connections: whom a client trusts, by which name, and who it says that it is."""

import ssl

import pytest
import trio
import trustme

import client
from client.tls import Tls


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority, tmp_path):
    """The authority's certificate, and that of a client with its key, as files."""
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    issued = authority.issue_cert("client@example.org")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    for part in issued.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    issued.private_key_pem.write_to_path(key)
    return ca, certificate, key


def served(fake, issued: trustme.LeafCert, *, trusted: trustme.CA | None = None):
    """Return how to reach the fake ensemble through TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    if trusted is not None:
        trusted.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED

    async def open_stream(host: str, port: int) -> trio.abc.Stream:
        plain = await fake.open_stream(host, port)
        ours, theirs = trio.testing.memory_stream_pair()
        encrypted = trio.SSLStream(theirs, context, server_side=True)
        fake.start_soon(lambda: relay(encrypted, plain))
        return ours

    return open_stream


async def relay(one: trio.abc.Stream, other: trio.abc.Stream) -> None:
    async def pour(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
        try:
            while data := await source.receive_some():
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        await trio.aclose_forcefully(source)
        await trio.aclose_forcefully(sink)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pour, one, other)
        nursery.start_soon(pour, other, one)


async def test_a_server_of_a_trusted_authority_is_talked_to(autojump_clock, fake, authority, files):
    open_stream = served(fake, authority.issue_cert("one", "two", "three"))
    async with fake.connect(open_stream=open_stream, tls=Tls(ca=files[0])) as zk:
        await zk.create("/a", b"1" * 100_000)
        assert (await zk.get("/a")).data == b"1" * 100_000
        fake.cut()
        assert await zk.exists("/a") is not None


async def test_a_server_without_the_name_it_was_reached_by_is_refused(
    autojump_clock, fake, authority, files, caplog
):
    """Elsewhere names are not checked unless one asks for it: whoever holds any certificate of the
    same authority can stand in for the servers."""
    open_stream = served(fake, authority.issue_cert("elsewhere.example"))
    with trio.move_on_after(5) as scope:
        async with fake.connect(open_stream=open_stream, tls=Tls(ca=files[0])):
            raise AssertionError
    assert scope.cancelled_caught
    warnings = [each.message for each in caplog.records if each.name == "client.servers"]
    assert len(warnings) == 3  # once for each server, however often it is tried
    assert "Hostname mismatch" in warnings[0]
    unchecked = Tls(ca=files[0], check_hostname=False)
    async with fake.connect(open_stream=open_stream, tls=unchecked) as zk:
        await zk.sync()


async def test_a_server_of_another_authority_is_refused(autojump_clock, fake, files):
    open_stream = served(fake, trustme.CA().issue_cert("one", "two", "three"))
    with trio.move_on_after(5) as scope:
        async with fake.connect(open_stream=open_stream, tls=Tls(ca=files[0])):
            raise AssertionError
    assert scope.cancelled_caught


async def test_a_client_shows_its_certificate(autojump_clock, fake, authority, files):
    ca, certificate, key = files
    issued = authority.issue_cert("one", "two", "three")
    open_stream = served(fake, issued, trusted=authority)
    tls = Tls(ca=ca, certificate=certificate, key=key)
    async with fake.connect(open_stream=open_stream, tls=tls) as zk:
        await zk.sync()
    with trio.move_on_after(5) as scope:
        async with fake.connect(open_stream=open_stream, tls=Tls(ca=ca)):
            raise AssertionError
    assert scope.cancelled_caught


async def test_a_server_that_does_not_speak_tls_is_refused(autojump_clock, fake, files):
    with trio.move_on_after(5) as scope:
        async with fake.connect(tls=client.Tls(ca=files[0])):
            raise AssertionError
    assert scope.cancelled_caught
