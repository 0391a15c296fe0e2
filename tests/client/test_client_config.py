"""The settings of a client: from a call, TOML, the environment, a URL; all faults at once."""

import pytest

from client.config import Auth, ClientConfig
from client.faults import ClientConfigError
from client.hosts import Hosts
from client.tls import Tls

EXPECTED = ClientConfig(
    Hosts((("a", 2181), ("b", 7)), "/app"),
    session_timeout=6,
    auth=[Auth("digest", b"ann:se:cret")],
    tls=Tls(ca="ca.pem", check_hostname=False),
    when_away="fail",
    read_only=True,
    in_flight=50,
    prove="ping",
    close_timeout=0.5,
)


def test_a_toml_file_holds_the_fields(tmp_path):
    file = tmp_path / "client.toml"
    file.write_text("""
hosts = "a,b:7/app"
session_timeout = "6s"
when_away = "fail"
read_only = true
in_flight = 50
prove = "ping"
close_timeout = 0.5
[[auth]]
scheme = "digest"
credential = "ann:se:cret"
[tls]
ca = "ca.pem"
check_hostname = false
""")
    assert ClientConfig.from_toml(file) == EXPECTED


def test_an_environment_holds_the_fields_under_names_of_their_own():
    environ = {
        "COORD_HOSTS": "a,b:7/app",
        "COORD_SESSION_TIMEOUT": "6",
        "COORD_AUTH": "digest:ann:se:cret",
        "COORD_TLS_CA": "ca.pem",
        "COORD_TLS_CHECK_HOSTNAME": "false",
        "COORD_WHEN_AWAY": "fail",
        "COORD_READ_ONLY": "true",
        "COORD_IN_FLIGHT": "50",
        "COORD_PROVE": "ping",
        "COORD_CLOSE_TIMEOUT": "500ms",
        "COORD_PURE": "1",  # the server's
        "COORD_LOCK_TOKEN": "7",  # that of a command, to its child
        "PATH": "/bin",
    }
    assert ClientConfig.from_env(environ) == EXPECTED


def test_a_url_holds_the_fields():
    url = (
        "zks://a,b:7/app?timeout=6s&auth=digest:ann:se:cret&tls_ca=ca.pem&tls_check_hostname=false"
        "&when_away=fail&read_only=true&in_flight=50&prove=ping&close_timeout=500ms"
    )
    assert ClientConfig.from_url(url) == EXPECTED
    assert ClientConfig.of(url) == EXPECTED


def test_a_connection_string_is_enough():
    config = ClientConfig.of("a:1,b/app")
    assert config == ClientConfig.from_url("zk://a:1,b/app")
    assert (config.tls, config.read_only, config.when_away) == (None, False, "wait")


def test_tls_is_a_flag_where_the_system_knows_whom_to_trust(tmp_path):
    file = tmp_path / "client.toml"
    file.write_text('hosts = "a"\ntls = true')
    assert ClientConfig.from_toml(file) == ClientConfig("a", tls=Tls())
    assert ClientConfig.from_url("zks://a") == ClientConfig("a", tls=Tls())
    assert ClientConfig.from_env({"COORD_HOSTS": "a", "COORD_TLS": "true"}).tls == Tls()
    off = {"COORD_HOSTS": "a", "COORD_TLS": "false", "COORD_TLS_CA": "ca.pem"}
    assert ClientConfig.from_env(off).tls is None


def test_all_faults_are_told_at_once_each_with_its_key(tmp_path):
    file = tmp_path / "client.toml"
    file.write_text("""
session_timeout = "soon"
whenaway = "fail"
when_away = "never"
read_only = "true"
in_flight = 0
prove = 1
close_timeout = -1
auth = [["digest"], {scheme = "digest", credential = 5}]
[tls]
authority = "x"
key = 5
check_hostname = "no"
""")
    with pytest.raises(ClientConfigError) as caught:
        ClientConfig.from_toml(file)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "whenaway",
        "hosts",
        "session_timeout",
        "auth[0]",
        "auth[1]",
        "tls.authority",
        "tls.key",
        "tls.check_hostname",
        "when_away",
        "read_only",
        "in_flight",
        "prove",
        "close_timeout",
    ]


def test_a_key_is_named_as_it_was_written():
    with pytest.raises(ClientConfigError) as caught:
        ClientConfig.from_env({"COORD_TLS_KEYS": "x", "COORD_HOST": "a"})
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "COORD_HOST",
        "COORD_HOSTS",
        "COORD_TLS_KEYS",
    ]
    with pytest.raises(ClientConfigError, match=r"^tls_keys: unknown key"):
        ClientConfig.from_url("zk://a?tls_keys=x")


@pytest.mark.parametrize("seconds", ["", "s", "10m", "1e3s ", "nan", "inf", 0, -1, True, None, 1e9])
def test_what_is_no_time_is_refused(seconds):
    with pytest.raises(ClientConfigError, match="session_timeout"):
        ClientConfig("a", session_timeout=seconds)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1500ms", 1.5), ("2.5", 2.5), ("1min", 60), ("1h", 3600), (7, 7)]
)
def test_a_time_has_a_unit_or_is_in_seconds(text, seconds):
    assert ClientConfig("a", session_timeout=text).session_timeout == seconds


def test_other_schemes_and_files_that_are_no_toml_are_refused(tmp_path):
    with pytest.raises(ClientConfigError, match="zks"):
        ClientConfig.of("http://a")
    file = tmp_path / "client.toml"
    file.write_text("hosts")
    with pytest.raises(ClientConfigError, match=r"client\.toml"):
        ClientConfig.from_toml(file)


def test_no_secret_shows_in_a_repr_or_in_a_fault():
    assert "cret" not in repr(EXPECTED)
    with pytest.raises(ClientConfigError) as caught:
        ClientConfig("a", auth=[("digest", "se:cret", "cret"), {"credential": "cret"}])
    assert "cret" not in str(caught.value)


def test_files_of_tls_that_cannot_be_read_are_told_together(tmp_path):
    missing = tmp_path / "missing.pem"
    with pytest.raises(ClientConfigError) as caught:
        Tls(ca=missing, certificate=missing).context()
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "tls.ca",
        "tls.certificate",
    ]
    with pytest.raises(ClientConfigError, match="certificate: is missing"):
        ClientConfig("a", tls={"key": "x"})


def test_host_names_are_checked_unless_told_otherwise():
    assert Tls().context().check_hostname
    assert not Tls(check_hostname=False).context().check_hostname


async def test_settings_given_to_connect_go_over_those_of_the_configuration(autojump_clock, fake):
    config = ClientConfig("one:1", session_timeout=4)
    async with fake.connect(config, session_timeout="7s") as zk:
        assert zk.session.timeout == 7
    async with fake.connect(config) as zk:
        assert zk.session.timeout == 4
    with pytest.raises(ClientConfigError, match="in_flight"):
        async with fake.connect("zk://one:1", in_flight=0):
            pass
