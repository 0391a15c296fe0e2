"""Three real replicas that speak TLS to clients and to each other."""

import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NotReadOnlyCallError
from kazoo.security import ACL, Id

import client
from tests.certificates import LONG_AGO, Authority
from tests.ensemble.processes import wait_for
from tests.ensemble.servers import CoordEnsemble

ATTEMPTS = 4


class TlsEnsemble(CoordEnsemble):
    """Each replica has a plain entrance for clients, and one for TLS at its spare port."""

    def __init__(self, folder: Path) -> None:
        self.certificates = folder / "certificates"
        self.certificates.mkdir()
        self.authority = Authority(self.certificates)
        super().__init__(folder)

    def command(self, replica: int) -> Sequence[str]:
        """Add certificates to the configuration."""
        command = super().command(replica)
        self.present(replica, self.authority, f"replica-{replica}")
        return command

    def present(self, replica: int, authority: Authority, name: str) -> tuple[Path, ...]:
        """Let a replica have a certificate of this authority; the files that it reads."""
        certificate, key = authority.sign(name)
        config = self.folder / str(replica) / "coord.toml"
        others = [line for line in config.read_text().splitlines() if "tls_" not in line]
        lines = [
            f'tls_client_address = "127.0.0.1:{self.spare_ports[replica]}"',
            f'tls_certificate = "{certificate}"',
            f'tls_key = "{key}"',
            f'tls_authority = "{authority.path}"',
        ]
        config.write_text("\n".join(lines + others))
        return certificate, key, authority.path

    def tls_hosts(self, *replicas: int) -> str:
        """A connection string with these replicas for clients that speak TLS."""
        return ",".join(f"127.0.0.1:{self.spare_ports[i]}" for i in replicas)

    def kazoo(
        self, certificate: tuple[Path, Path], *replicas: int, **options: object
    ) -> KazooClient:
        """A client of these replicas over TLS, with a certificate and its key."""
        path, key = map(str, certificate)
        return KazooClient(
            self.tls_hosts(*replicas),
            use_ssl=True,
            ca=str(self.authority.path),
            certfile=path,
            keyfile=key,
            **options,
        )

    def uptime_ms(self, replica: int) -> int:
        """For how long a replica has run."""
        return int(self.metrics(replica)["zk_uptime"])

    def lines(self, replica: int, text: str) -> list[str]:
        """What a replica has said that has this in it."""
        return [line for line in self.processes[replica].output.splitlines() if text in line]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsEnsemble]:
    with TlsEnsemble(tmp_path_factory.mktemp("tls")) as ensemble:
        yield ensemble


@pytest.fixture(scope="module")
def alice(secure: TlsEnsemble) -> tuple[Path, Path]:
    """A client's certificate and key."""
    return secure.authority.sign("alice", person="alice")


def is_refused(port: int, context: ssl.SSLContext) -> bool:
    """Whether a connection over TLS ends without a word."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    try:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            return connection.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_kazoo_reads_and_writes_over_tls_and_is_who_its_certificate_says(
    secure: TlsEnsemble, alice: tuple[Path, Path]
) -> None:
    zk = secure.kazoo(alice, 1, 2, 3)
    zk.start(timeout=20)
    try:
        data = bytes(range(256)) * 4000
        zk.create("/large", data)
        assert zk.get("/large")[0] == data
        zk.create("/mine", b"", acl=[ACL(31, Id("auth", ""))])
        (granted,) = zk.get_acls("/mine")[0]
        assert (granted.id.scheme, granted.id.id[:9]) == ("x509", "CN=alice,")
    finally:
        zk.stop()
        zk.close()


async def test_our_client_is_served_over_tls(secure: TlsEnsemble, alice: tuple[Path, Path]) -> None:
    certificate, key = alice
    tls = client.Tls(ca=secure.authority.path, certificate=certificate, key=key)
    async with client.connect(secure.tls_hosts(1, 2, 3), tls=tls) as zk:
        await zk.create("/ours", b"x")
        assert (await zk.get("/ours"))[0] == b"x"


def test_four_letter_words_are_answered_over_tls_up_to_a_clean_end(
    secure: TlsEnsemble, alice: tuple[Path, Path]
) -> None:
    certificate, key = alice
    options = ["-CAfile", secure.authority.path, "-cert", certificate, "-key", key]
    address = f"127.0.0.1:{secure.spare_ports[1]}"
    said = subprocess.run(
        ["openssl", "s_client", "-connect", address, *options, "-quiet", "-verify_return_error"],
        input=b"isro",
        capture_output=True,
        timeout=20,
        check=True,
    )
    assert said.stdout == b"rw"


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ("expired", "its certificate is refused: certificate has expired"),
        ("foreign", "its certificate is refused: unable to get local issuer certificate"),
        ("none", "it shows no certificate"),
    ],
)
def test_who_shows_a_wrong_certificate_is_refused_in_one_line_and_disturbs_nobody(
    secure: TlsEnsemble, tmp_path: Path, alice: tuple[Path, Path], shown: str, why: str
) -> None:
    context = secure.authority.context()
    if shown == "expired":
        context.load_cert_chain(*secure.authority.sign(shown, not_after=LONG_AGO))
    elif shown == "foreign":
        context.load_cert_chain(*Authority(tmp_path).sign(shown))
    zk = secure.kazoo(alice, 1, 2, 3)
    zk.start(timeout=20)
    changes: list[object] = []
    zk.add_listener(changes.append)
    epoch = secure.metrics(1)["zk_coord_epoch"]
    for _ in range(ATTEMPTS):
        assert is_refused(secure.peer_ports[1], context)
        assert is_refused(secure.spare_ports[1], context)
    for refused in ("refused a link from 127.0.0.1", "refused a client at 127.0.0.1"):
        assert len(secure.lines(1, f"{refused}: {why}")) == 1
    zk.set("/", b"")
    assert changes == []
    assert secure.metrics(1)["zk_coord_epoch"] == epoch
    zk.stop()
    zk.close()


def test_a_replica_of_another_authority_is_refused_in_one_line_and_let_in_when_its_files_are_mended(
    secure: TlsEnsemble, tmp_path: Path, alice: tuple[Path, Path]
) -> None:
    secure.kill(3)
    stranger = Authority(tmp_path)
    presented = secure.present(3, stranger, "foreign")
    secure.restart(3, wait=False)
    fault = "no link to replica {} at 127.0.0.1:{}: its certificate is refused"
    for peer in (1, 2):
        line = fault.format(peer, secure.peer_ports[peer])
        wait_for(lambda line=line: secure.lines(3, line), seconds=60, what=line)
    until_ms = secure.uptime_ms(3) + ATTEMPTS * 1000
    wait_for(lambda: secure.uptime_ms(3) > until_ms, seconds=60, what="several attempts more")
    for peer in (1, 2):
        assert len(secure.lines(3, fault.format(peer, secure.peer_ports[peer]))) == 1
        assert len(secure.lines(peer, "refuses this replica's certificate or offer: unknown")) == 1
    zk = secure.kazoo(alice, 1, 2)
    zk.start(timeout=20)
    zk.set("/", b"")
    zk.stop()
    zk.close()
    mended = (*secure.authority.sign("mended"), secure.authority.path)
    for new, present in zip(mended, presented, strict=True):
        present.write_bytes(new.read_bytes())
    secure.wait_until_serving([3])


def test_the_last_replica_lets_clients_read_that_ask_for_no_more(
    secure: TlsEnsemble, alice: tuple[Path, Path]
) -> None:
    writer = secure.kazoo(alice, 3)
    writer.start(timeout=20)
    writer.set("/", b"the last")
    for replica in (1, 2):
        secure.kill(replica)
    wait_for(lambda: secure.ask(3, "isro") == "ro", seconds=60, what="read-only mode")
    zk = secure.kazoo(alice, 3, read_only=True)
    zk.start(timeout=20)
    assert zk.client_state == "CONNECTED_RO"
    assert zk.get("/")[0] == b"the last"
    with pytest.raises(NotReadOnlyCallError):
        zk.set("/", b"")
    for each in (zk, writer):
        each.stop()
        each.close()
