"""What a client is told at its start: from a call, a TOML file, the environment or a URL.

    ClientConfig("a:2181,b:2181/app", session_timeout="10s", tls=Tls(ca="ca.pem"))
    ClientConfig.from_toml("client.toml")
    ClientConfig.from_env()                     # COORD_HOSTS, COORD_SESSION_TIMEOUT, ...
    ClientConfig.from_url("zks://a,b/app?timeout=10s&tls_ca=ca.pem")

Wherever it comes from, an object that exists is right, and one that cannot be is refused with all
its faults at once, each with the key it is about.
"""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, get_args
from urllib.parse import parse_qsl, unquote

import attrs

from client.deadline import Prove
from client.faults import ClientConfigError, attempt, faults_of, raise_faults, structure
from client.hosts import Hosts
from client.tls import Tls, read_truth

WhenAway = Literal["wait", "fail"]
"""What a request does while there is no connection: wait for one, or raise `Away`.

    async with connect("host:2181", when_away="fail") as zk:
        settings = await zk.get("/settings")  # at once, or Away
"""

SECONDS_MAX = 2**31 / 1000
"""Timeouts travel as 32-bit numbers of milliseconds."""

IN_FLIGHT_MAX = 100_000
"""So many requests under way are of use to nobody, and cost the client and its server memory."""

PREFIX = "COORD_"
"""What the names of a client's environment variables begin with."""

NOT_OURS = ("COORD_PURE", "COORD_TEST_", "COORD_LOCK", "COORD_TERM", "COORD_WATCH")
"""How the names begin of those that are no client's: for builds and tests, and what the commands
tell the programs they run."""

Choice = TypeVar("Choice", bound=str)

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


@attrs.frozen
class Auth:
    """One identity of the client.

    ann = Auth("digest", b"ann:secret")
    async with connect("host:2181", auth=[ann]) as zk:
        print(await zk.who_am_i())
    """

    scheme: str
    """As "digest"."""
    credential: bytes = attrs.field(repr=False)
    """What proves it; for "digest" the name, a colon and the password, in UTF-8."""


AnyAuth = Auth | tuple[str, str | bytes] | Mapping[str, str]
"""An identity as it may be written: a record, a pair, or a table of a TOML file."""


def _hosts(value: str | Hosts) -> Hosts:
    return value if isinstance(value, Hosts) else attempt(_read_hosts, value)


def _seconds(value: float | str) -> float:
    return attempt(_read_seconds, value)


def _auths(value: Iterable[AnyAuth]) -> tuple[Auth, ...]:
    return attempt(_read_auths, value)


def _tls(value: Tls | Mapping[str, Any] | bool | None) -> Tls | None:  # noqa: FBT001
    return value if value is None or isinstance(value, Tls) else attempt(_read_tls, value)


def _when_away(value: WhenAway) -> WhenAway:
    return attempt(_read_when_away, value)


def _prove(value: Prove) -> Prove:
    return attempt(_read_prove, value)


def _truth(value: bool) -> bool:  # noqa: FBT001  (a converter)
    return attempt(read_truth, value)


def _count(value: int) -> int:
    return attempt(_read_count, value)


@attrs.frozen
class ClientConfig:
    """The settings of a client; raises ClientConfigError with all faults at once.

    config = ClientConfig("a:2181,b:2181/app", session_timeout="6s", when_away="fail")
    async with connect(config) as zk:
        ...
    """

    hosts: Hosts = attrs.field(converter=_hosts)
    """The servers and the chroot: "host:port,host:port/chroot"."""
    session_timeout: float = attrs.field(default=10.0, converter=_seconds)
    """The session timeout to ask for, in seconds, or as "10s", "500ms"; servers may move it."""
    auth: tuple[Auth, ...] = attrs.field(default=(), converter=_auths)
    """Identities, shown on every connection."""
    tls: Tls | None = attrs.field(default=None, converter=_tls)
    """How to encrypt connections; None or false: not at all; true: as `Tls()` does."""
    when_away: WhenAway = attrs.field(default="wait", converter=_when_away)
    """What a request does while there is no connection: wait, or raise `Away` at once. What goes
    on for long, as watches and locks, waits in either case."""
    read_only: bool = attrs.field(default=False, converter=_truth)
    """Whether a server that has lost its ensemble will do while no other is found."""
    in_flight: int = attrs.field(default=1000, converter=_count)
    """Requests under way at a time, 1 to 100,000; more wait for their turn. ZooKeeper stops reading
    from its clients at 1000."""
    prove: Prove = attrs.field(default="sync", converter=_prove)
    """Which replies prove that locks are held; "sync" is right with every server, "ping" with
    coord, where it costs less and bridges longer silences."""
    close_timeout: float = attrs.field(default=1.0, converter=_seconds)
    """At the end: how long all of it may take together, in seconds: what would outlive the session,
    as a barrier that is to be opened, requests under way, and the closing of the session. The
    server expires the session if it takes longer."""

    def __attrs_post_init__(self) -> None:
        raise_faults(self)

    @classmethod
    def of(cls, source: "str | ClientConfig") -> "ClientConfig":
        """Return a configuration as it is; read a URL, or a connection string.

        config = ClientConfig.of("zk://a:2181,b:2181/app?timeout=6s")
        print(config.hosts.addresses, config.session_timeout)
        """
        if isinstance(source, ClientConfig):
            return source
        return cls.from_url(source) if "://" in source else cls(source)

    @classmethod
    def from_toml(cls, path: str | Path) -> "ClientConfig":
        """Read a TOML file whose keys are the fields here; `tls` is a table, `auth` an array.

        async with connect(ClientConfig.from_toml("client.toml"), session_timeout=6) as zk:
            ...
        """
        try:
            raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ClientConfigError([f"{path}: {error}"]) from error
        return structure(cls, raw)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "ClientConfig":
        """Read COORD_HOSTS and the rest from an environment; None: from the process's own.

            environ = {"COORD_HOSTS": "a:2181,b:2181/app", "COORD_SESSION_TIMEOUT": "6s"}
            assert ClientConfig.from_env(environ).session_timeout == 6

        COORD_AUTH is "scheme:credential"; COORD_TLS is "true", or COORD_TLS_CA and others are set.
        """
        environ = os.environ if environ is None else environ
        flat = [
            (name.removeprefix(PREFIX).lower(), text)
            for name, text in environ.items()
            if name.startswith(PREFIX) and not name.startswith(NOT_OURS)
        ]
        return _of_texts(flat, lambda key: PREFIX + key.upper())

    @classmethod
    def from_url(cls, url: str) -> "ClientConfig":
        """Read "zk://host:port,host:port/chroot?timeout=10s&when_away=fail"; zks: with TLS.

            config = ClientConfig.from_url("zk://a:2181,b:2181/app?timeout=6s&when_away=fail")

        The keys are those of the environment in lower case, and `timeout` for `session_timeout`.
        """
        scheme, _, rest = url.partition("://")
        servers, _, query = rest.partition("?")
        if scheme not in ("zk", "zks"):
            raise ClientConfigError([f'scheme: {scheme!r} is neither "zk" nor "zks" (with TLS)'])
        flat = [("hosts", unquote(servers)), *parse_qsl(query, keep_blank_values=True)]
        flat = [("session_timeout" if key == "timeout" else key, text) for key, text in flat]
        return _of_texts([*flat, ("tls", "true")] if scheme == "zks" else flat, str)


class Overrides(TypedDict, total=False):
    """What may be given to `connect` beside a configuration; as in `ClientConfig`."""

    session_timeout: float | str
    auth: Sequence[AnyAuth]
    tls: Tls | bool | None
    when_away: WhenAway
    read_only: bool
    in_flight: int
    prove: Prove
    close_timeout: float | str


# Reading: each function returns the value, or raises ValueError saying what would be right.


def _read_hosts(value: object) -> Hosts:
    if not isinstance(value, str):
        raise ValueError('is missing: write "host:port,host:port/chroot"')  # noqa: TRY004
    return Hosts.parse(value)


def _read_seconds(value: object) -> float:
    seconds = value
    if isinstance(value, str):
        number = value.rstrip(_LETTERS)
        unit = value[len(number) :] or "s"
        try:
            seconds = float(number) * _UNITS[unit]
        except (ValueError, KeyError):
            seconds = None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise ValueError(f'{value!r} is no time: write seconds, or "10s", "500ms"')  # noqa: TRY004
    if not 0 < seconds <= SECONDS_MAX:
        raise ValueError(f"{value} is not more than 0 and at most {SECONDS_MAX:.0f} seconds")
    return float(seconds)


def _read_auths(value: Any) -> tuple[Auth, ...]:
    auths, found = [], []
    for number, item in enumerate([] if isinstance(value, str) else value):
        try:
            auths.append(_read_auth(item))
        except ValueError as error:
            found += faults_of(f"[{number}]", error)
    if found:
        raise ClientConfigError(found)
    return tuple(auths)


def _read_auth(value: Any) -> Auth:
    """Read one identity. Its faults never show the credential."""
    if isinstance(value, Auth):
        return value
    if isinstance(value, Mapping) and value.keys() == {"scheme", "credential"}:
        value = value["scheme"], value["credential"]
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("an identity is a scheme and a credential")
    scheme, credential = value
    if not isinstance(scheme, str) or not isinstance(credential, str | bytes):
        raise ValueError("scheme and credential are texts")  # noqa: TRY004
    return Auth(scheme, credential.encode() if isinstance(credential, str) else credential)


def _read_tls(value: Any) -> Tls | None:
    if isinstance(value, bool):
        return Tls() if value else None
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is neither true nor false, nor a table")  # noqa: TRY004
    return structure(Tls, value)


def _read_when_away(value: WhenAway) -> WhenAway:
    return _read_choice(value, get_args(WhenAway))


def _read_prove(value: Prove) -> Prove:
    return _read_choice(value, get_args(Prove))


def _read_choice(value: Choice, choices: tuple[str, ...]) -> Choice:
    if value not in choices:
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, choices))}")
    return value


def _read_count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= IN_FLIGHT_MAX:
        raise ValueError(f"{value!r} is not a whole number from 1 to {IN_FLIGHT_MAX}")
    return value


# Texts, as an environment and a URL have them: one level of names, and no types.


def _of_texts(texts: Iterable[tuple[str, str]], name: Callable[[str], str]) -> ClientConfig:
    """Make a configuration of texts; in its faults, each key bears the name it was given by."""
    raw: dict[str, Any] = {}
    tls: dict[str, Any] = {}
    for key, text in texts:
        if key == "auth":
            raw[key] = [*raw.get(key, ()), text.split(":", 1)]
        elif key.startswith("tls_"):
            field = key.removeprefix("tls_")
            tls[field] = _typed(field, text)
        else:
            raw[key] = _typed(key, text)
    if raw.get("tls", bool(tls)) is True:
        raw["tls"] = tls
    try:
        return structure(ClientConfig, raw)
    except ClientConfigError as error:
        faults = [fault.partition(":") for fault in error.faults]
        named = [name(key.replace(".", "_")) + colon + what for key, colon, what in faults]
        raise ClientConfigError(named) from None


def _typed(field: str, text: str) -> bool | int | str:
    """Return what a text stands for in a field; as it is where it can stand for nothing."""
    if field in ("tls", "read_only", "check_hostname"):
        return {"true": True, "false": False}.get(text, text)
    return int(text) if field == "in_flight" and text.isdecimal() else text
