"""Certificates for tests: authorities, and what they sign, as files."""

import datetime
import ssl
from pathlib import Path

import trustme

from coord.credentials import CredentialFiles

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """Signs certificates and writes them into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._trustme = trustme.CA()
        self.path = folder / f"{name}.pem"
        self._trustme.cert_pem.write_to_path(self.path)

    def sign(
        self,
        name: str,
        *hosts: str,
        person: str | None = None,
        not_after: datetime.datetime | None = None,
    ) -> tuple[Path, Path]:
        """Files of a new certificate for hosts or addresses, and of its key."""
        made = self._trustme.issue_cert(
            *(hosts or ("127.0.0.1", "localhost")), common_name=person, not_after=not_after
        )
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        chain = b"".join(part.bytes() for part in made.cert_chain_pems)
        certificate.write_bytes(chain)
        made.private_key_pem.write_to_path(key)
        return certificate, key

    def files(self, name: str, *hosts: str, client_auth: str = "need") -> CredentialFiles:
        """A replica's new certificate, with this authority."""
        return CredentialFiles(*self.sign(name, *hosts), self.path, client_auth)

    def context(self, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        """A client's view: it believes this authority, and shows a certificate if it has one."""
        made = ssl.create_default_context(cafile=self.path)
        if certificate is not None:
            made.load_cert_chain(certificate, key)
        return made
