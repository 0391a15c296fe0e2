"""The configuration of one replica: TOML -> cattrs -> frozen attrs classes, all faults at once."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import cattrs
from cattrs.errors import IterableValidationNote
from cattrs.gen import make_dict_structure_fn

from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.credentials import CLIENT_AUTH, CredentialError, CredentialFiles, contexts
from coord.quorums import QuorumError, excerpt, parse

ROLES = ("voter", "observer")
REPLICA_ID_MAX = 255


class ConfigError(Exception):
    """The configuration cannot be used; one sentence for each fault, each with its key."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@attrs.frozen
class Address:
    """Where something listens."""

    host: str
    """A name or an IP address; IPv6 in brackets when written."""
    port: int
    """1 to 65535."""

    @classmethod
    def parse(cls, text: object) -> "Address":
        """Read `host:port`; raises ValueError that says what would be right."""
        host, colon, port = str(text).rpartition(":")
        if not isinstance(text, str) or not colon or not host or not port.isdecimal():
            raise ValueError(f'{text!r} is not an address: write "host:port"')
        if not 0 < int(port) < 65536:
            raise ValueError(f"port {port} in {text!r} is not between 1 and 65535")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _between(low: int, high: int) -> Any:
    def check(_instance: object, attribute: "attrs.Attribute[int]", value: int) -> None:
        if not low <= value <= high:
            raise ValueError(f"{attribute.name} = {value} is not between {low} and {high}")

    return check


def _role(_instance: object, _attribute: "attrs.Attribute[str]", value: str) -> None:
    if value not in ROLES:
        raise ValueError(f'role = {value!r} is neither "voter" nor "observer"')


def _client_auth(_instance: object, _attribute: "attrs.Attribute[str]", value: str) -> None:
    if value not in CLIENT_AUTH:
        known = ", ".join(f'"{word}"' for word in CLIENT_AUTH)
        raise ValueError(f"tls_client_auth = {value!r} is none of {known}")


@attrs.frozen
class ReplicaConfig:
    """One line of the ensemble's membership."""

    id: int = attrs.field(validator=_between(1, REPLICA_ID_MAX))
    """1 to 255, never used twice in an ensemble."""
    peer: Address
    """Where the other replicas reach it."""
    client: Address
    """Where clients reach it; published in /zookeeper/config."""
    role: str = attrs.field(default="voter", validator=_role)
    """"voter" or "observer"."""


@attrs.frozen
class Config:
    """Everything that one replica is told at its start."""

    id: int = attrs.field(validator=_between(1, REPLICA_ID_MAX))
    """Which of the replicas this one is."""
    data_dir: Path
    """The folder of the log and the tree; made if it is missing."""
    replicas: tuple[ReplicaConfig, ...]
    """All members; they found the ensemble, from then on the log's configuration rules."""
    client_address: Address | None = None
    """Where to listen for clients; None: this replica's `client` address, unless the clients that
    come there are those of `tls_client_address`: then there are no others."""
    admin_address: Address | None = None
    """Where to answer operators over HTTP; None: nowhere."""
    tls_client_address: Address | None = None
    """Where to listen for clients that speak TLS; None: nowhere."""
    tls_certificate: Path | None = None
    """File with this replica's certificate, in PEM; it names the host of its `peer` address."""
    tls_key: Path | None = None
    """File with the certificate's key."""
    tls_authority: Path | None = None
    """File with the certificates of who signs those of the replicas and clients. With it links
    between replicas are encrypted, and opened only to who has such a certificate; None: in clear,
    and clients are not asked for any."""
    tls_client_auth: str = attrs.field(default="need", validator=_client_auth)
    """With an authority: whether clients "need" a certificate, may show one ("want"), or "none"."""
    tick_ms: int = attrs.field(default=2000, validator=_between(20, 600_000))
    """Unit of session timeouts in ms: 2 to 20 ticks, as in ZooKeeper."""
    heartbeat_ms: int = attrs.field(default=100, validator=_between(5, 60_000))
    """How often a leader is heard and reports are sent, in ms."""
    election_ms: int = attrs.field(default=1000, validator=_between(20, 600_000))
    """Silence after which a follower stands for election, in ms."""
    quorums: str = "majority"
    """The text form of a quorum system over the voters, as it prints itself."""
    ttl: bool = False
    """Replicated at the founding: whether znodes with a time to live may be created."""
    super_digest: str = ""
    """Replicated at the founding: "super:<base64 of SHA-1>" of the super user; empty: none."""

    @property
    def own(self) -> ReplicaConfig:
        """This replica's line."""
        return next(replica for replica in self.replicas if replica.id == self.id)

    @property
    def listen(self) -> Address | None:
        """Where clients are listened for that do not speak TLS; None: nowhere."""
        tls = self.tls_client_address
        if self.client_address is None and tls is not None and tls.port == self.own.client.port:
            return None
        return self.client_address or self.own.client

    @property
    def tls(self) -> CredentialFiles | None:
        """What TLS takes; None: it is not used."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return CredentialFiles(
            self.tls_certificate, self.tls_key, self.tls_authority, self.tls_client_auth
        )

    @property
    def has_tls_peers(self) -> bool:
        """Whether links between replicas are encrypted."""
        return self.tls_authority is not None

    @property
    def voters(self) -> tuple[int, ...]:
        """The ids of the voters, ascending."""
        return tuple(sorted(item.id for item in self.replicas if item.role == "voter"))

    @property
    def has_other_voters(self) -> bool:
        """Whether another replica may lead, and hand out its state."""
        return bool(set(self.voters) - {self.id})

    @property
    def members(self) -> tuple[Member, ...]:
        """All replicas as consensus knows them; their birth numbers are not known here."""
        roles = {"voter": MemberRole.VOTER, "observer": MemberRole.OBSERVER}
        return tuple(
            Member(item.id, 0, roles[item.role], str(item.peer), str(item.client))
            for item in sorted(self.replicas, key=lambda item: item.id)
        )

    def differences(self, configuration: Configuration) -> list[str]:
        """Return the keys whose values are not those of the ensemble's configuration."""
        ours, theirs = (
            [(item.id, item.role, item.peer_address, item.client_address) for item in members]
            for members in (self.members, configuration.members)
        )
        found = {"replicas": ours != theirs, "quorums": self.quorums != configuration.quorums}
        return [key for key, differs in found.items() if differs]

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """What the word `conf` tells, under ZooKeeper's names where it has them."""
        places = {"clientPort": self.listen, "secureClientPort": self.tls_client_address}
        return (
            *((key, str(place.port)) for key, place in places.items() if place is not None),
            ("dataDir", str(self.data_dir)),
            ("tickTime", str(self.tick_ms)),
            ("minSessionTimeout", str(2 * self.tick_ms)),
            ("maxSessionTimeout", str(20 * self.tick_ms)),
            ("serverId", str(self.id)),
            ("heartbeatMs", str(self.heartbeat_ms)),
            ("electionMs", str(self.election_ms)),
            ("quorums", self.quorums),
        )


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)

    def integer(value: object, _type: type[int]) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{value!r} is not a whole number")  # noqa: TRY004 - cattrs collects these
        return value

    def text(value: object, _type: type[str]) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a text")  # noqa: TRY004
        return value

    def boolean(value: object, _type: type[bool]) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is neither true nor false")  # noqa: TRY004
        return value

    converter.register_structure_hook(int, integer)
    converter.register_structure_hook(str, text)
    converter.register_structure_hook(bool, boolean)
    converter.register_structure_hook(Address, lambda value, _type: Address.parse(value))
    converter.register_structure_hook(Path, lambda value, _type: Path(text(value, str)))
    for record in (ReplicaConfig, Config):
        converter.register_structure_hook(
            record,
            make_dict_structure_fn(record, converter, _cattrs_forbid_extra_keys=True),
        )
    return converter


def load(path: Path) -> Config:
    """Read a replica's configuration; raises ConfigError with every fault found."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None
    return structure(raw)


def structure(raw: dict[str, Any]) -> Config:
    """Check what a configuration file holds; raises ConfigError with every fault found."""
    try:
        config = _converter().structure(raw, Config)
    except cattrs.BaseValidationError as error:
        ranges = [*_out_of_range(raw, Config, ""), *_replicas_out_of_range(raw)]
        raise ConfigError(list(dict.fromkeys([*_faults(error, ""), *ranges]))) from None
    except (ValueError, TypeError) as error:
        raise ConfigError([str(error)]) from None
    faults = list(_contradictions(config))
    if faults:
        raise ConfigError(faults)
    return attrs.evolve(config, quorums=parse(config.quorums, config.voters).text)


def _contradictions(config: Config) -> Iterator[str]:
    ids = [replica.id for replica in config.replicas]
    for number in sorted({number for number in ids if ids.count(number) > 1}):
        yield f"replicas: id {number} stands {ids.count(number)} times; each id is used once"
    if config.id not in ids:
        listed = ", ".join(map(str, ids)) or "none"
        yield f"id = {config.id} is not among the replicas (listed: {listed})"
    places = [str(place) for item in config.replicas for place in (item.peer, item.client)]
    for place in sorted({place for place in places if places.count(place) > 1}):
        yield f"replicas: address {place} stands more than once; each needs its own"
    yield from _shared_addresses(config, places, is_member=config.id in ids)
    yield from _tls_faults(config)
    if config.election_ms < 2 * config.heartbeat_ms:
        yield (
            f"election_ms = {config.election_ms} is less than twice heartbeat_ms = "
            f"{config.heartbeat_ms}; a healthy leader would be deposed"
        )
    if not config.voters:
        yield 'replicas: none is a "voter"; at least one must be'
    else:
        try:
            parse(config.quorums, config.voters)
        except QuorumError as error:
            yield f"quorums = {excerpt(config.quorums)}: {error}"


def _shared_addresses(config: Config, places: list[str], *, is_member: bool) -> Iterator[str]:
    """An address at which two things would listen."""
    taken = {*places, str(config.client_address)} - {"None"}
    tls, admin = str(config.tls_client_address), str(config.admin_address)
    # The address that clients are told may be the one for TLS, if it is no other's besides.
    is_told = is_member and tls == str(config.own.client) != str(config.listen)
    if tls in taken and not is_told:
        yield f"tls_client_address = {tls} is the address of something else"
    if admin in taken or admin == tls != "None":
        yield f"admin_address = {admin} is the address of something else"


def _tls_faults(config: Config) -> Iterator[str]:
    keys = ("tls_client_address", "tls_certificate", "tls_key", "tls_authority")
    given = [key for key in keys if getattr(config, key) is not None]
    missing = [key for key in ("tls_certificate", "tls_key") if key not in given]
    if given and missing:
        yield f"{', '.join(missing)}: missing, with {', '.join(given)}"
    elif given and len(given) == 2:
        yield (
            "tls_certificate is used for nothing: it needs tls_client_address (for clients), "
            "tls_authority (for links between replicas and for clients' certificates), or both"
        )
    if config.tls is not None:
        try:
            contexts(config.tls)
        except CredentialError as error:
            yield from error.faults


def _faults(error: BaseException, where: str) -> Iterator[str]:
    """Flatten cattrs' tree of errors into sentences that begin with the key."""
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = ", ".join(attribute.name for attribute in attrs.fields(error.cl))
        for key in sorted(error.extra_fields):
            yield f"{where}{key}: unknown key; known are {known}"
    elif isinstance(error, cattrs.BaseValidationError):
        for inner in error.exceptions:
            yield from _faults(inner, where + _place(inner))
    elif isinstance(error, KeyError):
        yield f"{where.rstrip('. ')}: is missing"
    else:
        yield f"{where.rstrip('. ')}: {error}" if where else str(error)


def _out_of_range(raw: dict[str, Any], record: type, where: str) -> Iterator[str]:
    """What the fields' own checks say; cattrs makes no object, so runs none, if a type is wrong."""
    for attribute in attrs.fields(record):
        value = raw.get(attribute.name)
        if attribute.validator is not None and isinstance(value, attribute.type or object):
            try:
                attribute.validator(None, attribute, value)
            except ValueError as error:
                yield f"{where}{error}"


def _replicas_out_of_range(raw: dict[str, Any]) -> Iterator[str]:
    replicas = raw.get("replicas")
    for place, replica in enumerate(replicas if isinstance(replicas, list) else []):
        if isinstance(replica, dict):
            yield from _out_of_range(replica, ReplicaConfig, f"replicas.[{place}]: ")


def _place(error: BaseException) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]."
        name = getattr(note, "name", None)
        if name is not None:
            return f"{name}."
    return ""
