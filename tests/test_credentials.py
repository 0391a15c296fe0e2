"""Certificates: what is refused at the start and why, what they name, when they are read again."""

import ssl
from pathlib import Path

import pytest

from coord.credentials import (
    CredentialError,
    CredentialFiles,
    Credentials,
    contexts,
    names_host,
    subject_of,
)
from tests.certificates import LONG_AGO, Authority


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates good and bad under their names, and what is none."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder)
    authority.sign("good")
    authority.sign("expired", not_after=LONG_AGO)
    Authority(folder, "stranger").sign("foreign")
    (folder / "junk.pem").write_text("certificate")
    (folder / "junk.key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n")
    return folder


def faults_of(folder: Path, certificate: str, key: str, authority: str | None) -> list[str]:
    path = folder / f"{authority}.pem" if authority else None
    files = CredentialFiles(folder / f"{certificate}.pem", folder / f"{key}.key", path, "need")
    with pytest.raises(CredentialError) as caught:
        contexts(files)
    return [fault.replace(f"{folder}/", "") for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("certificate", "key", "authority", "faults"),
    [
        (
            "expired",
            "expired",
            "authority",
            ["tls_certificate = expired.pem: certificate has expired"],
        ),
        ("expired", "expired", None, ["tls_certificate = expired.pem: certificate has expired"]),
        (
            "foreign",
            "foreign",
            "authority",
            ["tls_certificate = foreign.pem: unable to get local issuer certificate"],
        ),
        (
            "good",
            "foreign",
            "authority",
            ["tls_key = foreign.key: is not the key of the certificate in good.pem"],
        ),
        (
            "good",
            "junk",
            None,
            ["tls_key = junk.key: holds no key in PEM that is not encrypted"],
        ),
        (
            "junk",
            "missing",
            "missing",
            [
                "tls_certificate = junk.pem: holds no certificate in PEM",
                "tls_key = missing.key: cannot be read: No such file or directory",
                "tls_authority = missing.pem: cannot be read: No such file or directory",
            ],
        ),
    ],
)
def test_what_others_would_refuse_is_refused_here_with_its_key_and_all_at_once(
    folder: Path, certificate: str, key: str, authority: str | None, faults: list[str]
) -> None:
    assert faults_of(folder, certificate, key, authority) == faults


@pytest.mark.parametrize("authority", ["authority", None])
def test_every_context_begins_at_tls_1_2_and_resumes_nothing(
    folder: Path, authority: str | None
) -> None:
    path = folder / f"{authority}.pem" if authority else None
    made = contexts(CredentialFiles(folder / "good.pem", folder / "good.key", path, "need"))
    for context in (made.client_listener, made.peer_listener, made.peer_dialer):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_TICKET
    assert made.peer_dialer.check_hostname
    wanted = ssl.CERT_REQUIRED if authority else ssl.CERT_NONE
    assert made.client_listener.verify_mode == made.peer_listener.verify_mode == wanted


@pytest.mark.parametrize(
    ("word", "mode"),
    [("none", ssl.CERT_NONE), ("want", ssl.CERT_OPTIONAL), ("need", ssl.CERT_REQUIRED)],
)
def test_clients_are_asked_for_certificates_in_zookeepers_words_and_replicas_always(
    folder: Path, word: str, mode: ssl.VerifyMode
) -> None:
    files = CredentialFiles(
        folder / "good.pem", folder / "good.key", folder / "authority.pem", word
    )
    made = contexts(files)
    assert made.client_listener.verify_mode == mode
    assert made.peer_listener.verify_mode == ssl.CERT_REQUIRED


def test_files_that_change_are_read_again_and_bad_ones_change_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    authority = Authority(tmp_path)
    credentials = Credentials(authority.files("replica"), lines.append)
    before = credentials.contexts
    assert credentials.contexts is before
    authority.sign("replica", not_after=LONG_AGO)
    assert credentials.contexts is before
    assert credentials.contexts is before
    assert len(lines) == 1
    assert lines[0].endswith("replica.pem: certificate has expired")
    authority.sign("replica")
    assert credentials.contexts is not before
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("kind", "name", "host", "names"),
    [
        ("DNS", "a.example.org", "A.example.org.", True),
        ("DNS", "a.example.org", "b.example.org", False),
        ("DNS", "*.example.org", "a.example.org", True),
        ("DNS", "*.example.org", "a.b.example.org", False),
        ("DNS", "*.example.org", "example.org", False),
        ("DNS", "127.0.0.1", "127.0.0.2", False),
        ("IP Address", "127.0.0.1", "127.0.0.1", True),
        ("IP Address", "0:0:0:0:0:0:0:1", "::1", True),
        ("IP Address", "127.0.0.1", "localhost", False),
        ("email", "a.example.org", "a.example.org", False),
    ],
)
def test_a_certificate_names_a_host_by_its_alternative_names(
    kind: str, name: str, host: str, names: bool
) -> None:
    assert names_host({"subjectAltName": ((kind, name),)}, host) is names


def test_the_common_name_of_a_certificate_names_no_host() -> None:
    assert not names_host({"subject": ((("commonName", "a"),),)}, "a")


def test_a_subject_is_written_as_java_writes_it() -> None:
    """As X500Principal.getName of Java 17 was seen to do."""
    subject = (
        (("countryName", "DE"),),
        (("organizationName", "z"),),
        (("commonName", "a,b=c+d<e>f;g#h"), ("organizationalUnitName", 'q\\"')),
    )
    assert (
        subject_of({"subject": subject}) == 'CN=a\\,b\\=c\\+d\\<e\\>f\\;g\\#h+OU=q\\\\\\",O=z,C=DE'
    )
    assert subject_of({}) == ""
