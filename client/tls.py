"""Encrypted connections: whom to trust, and who we are."""

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import trio

from client.faults import ClientConfigError, attempt, raise_faults

OpenStream = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""How to reach a server: `await open_stream(host, port)`.

    async def from_inside(host: str, port: int) -> trio.abc.Stream:
        return await trio.open_tcp_stream(host, port, local_address="10.0.0.7")

    async with connect("host:2181", open_stream=from_inside) as zk:
        ...
"""


def _path(value: str | Path | None) -> Path | None:
    return attempt(_read_path, value)


def _truth(value: bool) -> bool:  # noqa: FBT001  (a converter)
    return attempt(read_truth, value)


@attrs.frozen
class Tls:
    """How connections are encrypted; `Tls()` trusts whom the system trusts.

    Tls(ca="ca.pem", certificate="client.pem", key="client.key")
    """

    ca: Path | None = attrs.field(default=None, converter=_path)
    """File with the certificates to trust, in PEM; None: those the system trusts."""
    certificate: Path | None = attrs.field(default=None, converter=_path)
    """File with this client's certificate and those that lead to its authority; None: none."""
    key: Path | None = attrs.field(default=None, converter=_path)
    """File with the certificate's key, not encrypted; None: it is in the file `certificate`."""
    check_hostname: bool = attrs.field(default=True, converter=_truth)
    """Whether a server's certificate must bear the name under which the server was reached."""

    def __attrs_post_init__(self) -> None:
        raise_faults(self)
        if self.key is not None and self.certificate is None:
            raise ClientConfigError(["certificate: is missing, and the key belongs to one"])

    def context(self) -> ssl.SSLContext:
        """Return what encrypts; raise ClientConfigError where a file is missing or unreadable.

        context = Tls(check_hostname=False).context()
        print(context.get_ca_certs())
        """
        found = []
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            found.append(f"tls.ca: {self.ca}: {error.strerror or error}")
            context = ssl.create_default_context()
        context.check_hostname = self.check_hostname
        if self.certificate is not None:
            try:  # with a password nobody is asked for one
                context.load_cert_chain(self.certificate, self.key, password="")
            except OSError as error:
                files = f"{self.certificate}, {self.key or self.certificate}"
                found.append(f"tls.certificate: {files}: {error.strerror or error}")
        if found:
            raise ClientConfigError(found)
        return context


def encrypted(open_stream: OpenStream, tls: Tls) -> OpenStream:
    """Return what reaches servers as `open_stream` does, and encrypts."""
    context = tls.context()

    async def open_encrypted(host: str, port: int) -> trio.abc.Stream:
        plain = await open_stream(host, port)
        stream = trio.SSLStream(plain, context, server_hostname=host)
        try:
            await stream.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(plain)
            raise
        return stream

    return open_encrypted


def read_truth(value: object) -> bool:
    """Return true or false as it is; raise ValueError for anything else."""
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")  # noqa: TRY004
    return value


def _read_path(value: object) -> Path | None:
    if not isinstance(value, str | Path | None) or value == "":
        raise ValueError(f"{value!r} is not the name of a file")
    return None if value is None else Path(value)
