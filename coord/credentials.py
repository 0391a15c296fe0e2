"""What a replica shows over TLS, and whom it believes: the one place that makes TLS contexts.

Rules

1. TLS 1.2 or later. Nothing is resumed or renegotiated: each connection shows its certificates
   anew, so one that has expired meanwhile opens none.
2. Replicas believe each other only with a certificate of the authority that names the host at
   which the configuration has them; nothing but the names of the certificate is asked about that.
3. Files that change are read again before the next handshake. What cannot be used then is said
   once, and those from before stay in use.
4. A certificate that others would refuse is refused at the start: it is tried here first, by a
   handshake of this replica with itself.
"""

import ipaddress
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

CLIENT_AUTH = {
    "none": ssl.CERT_NONE,
    "want": ssl.CERT_OPTIONAL,
    "need": ssl.CERT_REQUIRED,
}
"""Whether clients must show a certificate; ZooKeeper's words (ssl.clientAuth)."""


@attrs.frozen
class CredentialFiles:
    """Where the certificates of one replica are; all in PEM."""

    certificate: Path
    """Its own certificate, and those that lead to the authority's, if there are any between."""
    key: Path
    """The certificate's key, not encrypted."""
    authority: Path | None
    """Certificates of who signs those of the replicas and clients; None: nobody is asked."""
    client_auth: str
    """A key of `CLIENT_AUTH`; of no effect without an authority."""


@attrs.frozen
class Contexts:
    """A context for each way in which a connection comes about."""

    client_listener: ssl.SSLContext
    """For connections of clients."""
    peer_listener: ssl.SSLContext
    """For links that another replica opens."""
    peer_dialer: ssl.SSLContext
    """For links that this replica opens."""


class CredentialError(Exception):
    """The files are of no use; one sentence for each fault, beginning with its key."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def contexts(files: CredentialFiles) -> Contexts:
    """Read the files; raises CredentialError with all that is wrong with them."""
    faults = list(_faults(files))
    if faults:
        raise CredentialError(faults)
    made = Contexts(
        _context(ssl.PROTOCOL_TLS_SERVER, files, CLIENT_AUTH[files.client_auth]),
        _context(ssl.PROTOCOL_TLS_SERVER, files, ssl.CERT_REQUIRED),
        _context(ssl.PROTOCOL_TLS_CLIENT, files, ssl.CERT_REQUIRED),
    )
    if fault := _refusal(files, made):
        raise CredentialError([f"tls_certificate = {files.certificate}: {fault}"])
    return made


class Credentials:
    """The contexts in use, made anew when a file changes."""

    def __init__(self, files: CredentialFiles, warn: Callable[[str], None]) -> None:
        """Read the files; raises CredentialError."""
        self._files = files
        self._warn = warn
        self._seen = self._look()
        self._contexts = contexts(files)

    @property
    def contexts(self) -> Contexts:
        """Those for the next handshake."""
        now = self._look()
        if now != self._seen:
            self._seen = now
            try:
                self._contexts = contexts(self._files)
            except CredentialError as error:
                self._warn(f"the certificates from before stay in use: {error}")
        return self._contexts

    def _look(self) -> tuple[tuple[int, int], ...]:
        """Return what tells one state of the files from another."""
        paths = (self._files.certificate, self._files.key, self._files.authority)
        return tuple(_state(path) for path in paths if path is not None)


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)


def _faults(files: CredentialFiles) -> Iterator[str]:
    """What is wrong with each file, and with the pair."""
    named = {
        "tls_certificate": files.certificate,
        "tls_key": files.key,
        "tls_authority": files.authority,
    }
    is_pair_readable = True
    for key, path in named.items():
        fault = _file_fault(path, is_key=key == "tls_key") if path is not None else ""
        if fault:
            is_pair_readable &= key == "tls_authority"
            yield f"{key} = {path}: {fault}"
    if is_pair_readable and (fault := _pair_fault(files)):
        yield f"tls_key = {files.key}: {fault}"


def _file_fault(path: Path, *, is_key: bool) -> str:
    try:
        content = path.read_bytes()
        if is_key:
            return "" if b" PRIVATE KEY-----" in content else "holds no key in PEM"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "holds no certificate in PEM"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _pair_fault(files: CredentialFiles) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:  # with a password, else a terminal would be asked for one
        context.load_cert_chain(files.certificate, files.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"is not the key of the certificate in {files.certificate}"
        return "holds no key in PEM that is not encrypted"
    except ValueError:
        return "holds no key in PEM that is not encrypted"
    return ""


def _context(protocol: int, files: CredentialFiles, mode: ssl.VerifyMode) -> ssl.SSLContext:
    """Make one context by rules 1 and 2."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.hostname_checks_common_name = False
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    context.load_cert_chain(files.certificate, files.key, password="")
    if files.authority is not None:
        context.load_verify_locations(files.authority)
        context.verify_mode = mode
    return context


def _refusal(files: CredentialFiles, made: Contexts) -> str:
    """Why others would refuse the certificate (rule 4); "" when they would not."""
    if files.authority is None:
        # Clients decide whose certificates they believe: here only its time is looked at.
        dialer = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        dialer.load_verify_locations(files.certificate)
        dialer.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        listener = made.client_listener
    else:
        dialer = _context(ssl.PROTOCOL_TLS_CLIENT, files, ssl.CERT_REQUIRED)
        listener = made.peer_listener
    dialer.check_hostname = False
    to_listener, to_dialer = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        dialer.wrap_bio(to_dialer, to_listener),
        listener.wrap_bio(to_listener, to_dialer, server_side=True),
    ]
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        except ssl.SSLError as error:
            return reason_of(error)
    return ""


def reason_of(error: ssl.SSLError) -> str:
    """Say in a few words what went wrong in a handshake, as seen from here."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    words = (error.reason or str(error)).lower().replace("_", " ")
    if words == "peer did not return a certificate":
        return "it shows no certificate"
    _before, alert, told = words.partition(" alert ")
    return f"it refuses this replica's certificate or offer: {told}" if alert else words


def names_host(certificate: Mapping[str, Any], host: str) -> bool:
    """Tell whether a certificate, as `getpeercert` gives it, names a host or address (rule 2)."""
    return any(
        _is_address(name, host) if kind == "IP Address" else _is_name(name, host)
        for kind, name in certificate.get("subjectAltName", ())
        if kind in ("DNS", "IP Address")
    )


def _is_address(name: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip()) == ipaddress.ip_address(host)
    except ValueError:
        return False


def _is_name(name: str, host: str) -> bool:
    """A star stands for the first label, and for nothing else."""
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if name.startswith("*."):
        first, _dot, host = host.partition(".")
        return bool(first) and name[2:] == host
    return name == host


KEYWORDS = {
    "commonName": "CN",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
"""The attributes that have a name of their own in RFC 2253."""


def subject_of(certificate: Mapping[str, Any]) -> str:
    """Return the subject of a certificate as ZooKeeper's scheme x509 writes it; "": it has none.

    Source: javax/security/auth/x500/X500Principal.getName (RFC 2253). Attributes that RFC 2253 has
    no keyword for stand there as numbers; here under the names that OpenSSL gives them.
    """
    names = [
        "+".join(f"{KEYWORDS.get(kind, kind)}={_escaped(value)}" for kind, value in name)
        for name in reversed(certificate.get("subject", ()))
    ]
    return ",".join(names)


def _escaped(value: str) -> str:
    return "".join(f"\\{char}" if char in ',=+<>#;"\\' else char for char in value.strip())
