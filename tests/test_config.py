"""The configuration file: what is right is loaded, what is wrong is named, all of it at once."""

from pathlib import Path

import pytest

from coord.config import Address, ConfigError, load
from tests.certificates import Authority

GOOD = """
id = 2
data_dir = "/tmp/coord-2"
quorums = "majority"

[[replicas]]
id = 1
peer = "127.0.0.1:2888"
client = "127.0.0.1:2181"

[[replicas]]
id = 2
peer = "127.0.0.1:2889"
client = "127.0.0.1:2182"

[[replicas]]
id = 3
peer = "[::1]:2890"
client = "localhost:2183"
role = "observer"
"""


def faults_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "replica.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return caught.value.faults


def test_a_complete_file_is_loaded_with_the_documented_defaults(tmp_path: Path) -> None:
    path = tmp_path / "replica.toml"
    path.write_text(GOOD)
    config = load(path)
    assert (config.tick_ms, config.heartbeat_ms, config.election_ms) == (2000, 100, 1000)
    assert config.listen == Address("127.0.0.1", 2182)
    assert config.voters == (1, 2)
    assert str(config.replicas[2].peer) == "[::1]:2890"


@pytest.mark.parametrize(
    ("text", "copied"),
    [("weighted 1=2  2=1 L=2", "weighted 1=2 2=1 L=2 R=2"), ("grid [[1, 2]]", "grid [[1,2]]")],
)
def test_quorums_of_any_shape_over_the_voters_are_loaded(
    tmp_path: Path, text: str, copied: str
) -> None:
    path = tmp_path / "replica.toml"
    path.write_text(GOOD.replace('"majority"', f'"{text}"'))
    assert load(path).quorums == copied


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("id = 2\n", "id = 9\n", 1), "id = 9 is not among the replicas"),
        (("id = 2\n", 'id = "two"\n', 1), "id: 'two' is not a whole number"),
        (("id = 2\n", "", 1), "id: is missing"),
        (("id = 1\n", "id = 3\n", 1), "id 3 stands 2 times"),
        (("id = 1\n", "id = 256\n", 1), "replicas.[0]: id = 256 is not between 1 and 255"),
        (('"127.0.0.1:2181"', '"127.0.0.1"', 1), "replicas.[0].client: '127.0.0.1' is not an add"),
        (
            ("id = 2\n", 'id = 2\nadmin_address = "127.0.0.1:2182"\n', 1),
            "admin_address = 127.0.0.1:2182 is the address of something else",
        ),
        (
            ("id = 2\n", 'id = 2\nadmin_address = "8181"\n', 1),
            "admin_address: '8181' is not",
        ),
        (("2182", "2181", 1), "127.0.0.1:2181 stands more than once"),
        (('"majority"', '"simple L=1 R=1"', 1), "quorums = 'simple L=1 R=1': "),
        (('"majority"', '"grid [[1,2],[3,4]]"', 1), "replica 3 is not among the voters"),
        (
            ('"majority"', f'"{"x" * 9999}"', 1),
            "quorums = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...",
        ),
        (('"observer"', '"witness"', 1), "role = 'witness' is neither"),
        (("id = 2\n", "id = 2\ntick = 5\n", 1), "tick: unknown key; known are id, data_dir"),
        (("id = 2\n", "id = 2\nelection_ms = 150\n", 1), "less than twice heartbeat_ms"),
    ],
)
def test_a_fault_is_named_with_its_key(
    tmp_path: Path, change: tuple[str, str, int], expected: str
) -> None:
    """AT-22 b, among others: an unsafe quorum system is refused at load."""
    faults = faults_of(tmp_path, GOOD.replace(*change))
    assert any(expected in fault for fault in faults), faults


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    broken = GOOD.replace("id = 2\n", "id = 0\ncolour = 1\nheartbeat_ms = true\n", 1)
    broken = broken.replace('"observer"', "7")
    faults = faults_of(tmp_path, broken)
    keys = {fault.split(":")[0].split(" ")[0] for fault in faults}
    assert keys == {"id", "heartbeat_ms", "replicas.[2].role", "colour"}


def test_a_file_with_tls_may_leave_out_the_plain_entrance(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).sign("replica")
    tls = f"""tls_client_address = "0.0.0.0:2182"
tls_certificate = "{certificate}"
tls_key = "{key}"
"""
    path = tmp_path / "replica.toml"
    path.write_text(tls + GOOD)
    config = load(path)
    assert config.listen is None
    assert not config.has_tls_peers
    assert ("secureClientPort", "2182") in config.shown
    path.write_text('client_address = "127.0.0.1:2199"\n' + tls + GOOD)
    assert load(path).listen == Address("127.0.0.1", 2199)
    path.write_text(f'tls_authority = "{tmp_path / "authority.pem"}"\n' + tls + GOOD)
    assert load(path).has_tls_peers


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            'tls_client_address = "127.0.0.1:2281"',
            ["tls_certificate, tls_key: missing, with tls_client_address"],
        ),
        (
            'tls_certificate = "/no/file"\ntls_authority = "/no/other"',
            ["tls_key: missing, with tls_certificate, tls_authority"],
        ),
        (
            'tls_certificate = "/no/file"\ntls_key = "/no/other"',
            [
                "tls_certificate is used for nothing: it needs tls_client_address",
                "tls_certificate = /no/file: cannot be read: No such file or directory",
                "tls_key = /no/other: cannot be read: No such file or directory",
            ],
        ),
        ('tls_client_auth = "please"', ["tls_client_auth = 'please' is none of"]),
        (
            'client_address = "127.0.0.1:2281"\ntls_client_address = "127.0.0.1:2281"',
            [
                "tls_client_address = 127.0.0.1:2281 is the address of something else",
                "tls_certificate, tls_key: missing",
            ],
        ),
        (
            'admin_address = "127.0.0.1:2281"\ntls_client_address = "127.0.0.1:2281"',
            [
                "admin_address = 127.0.0.1:2281 is the address of something else",
                "tls_certificate, tls_key: missing",
            ],
        ),
    ],
)
def test_faults_of_tls_are_named_with_their_keys_all_at_once(
    tmp_path: Path, lines: str, expected: list[str]
) -> None:
    faults = faults_of(tmp_path, f"{lines}\n{GOOD}")
    assert len(faults) == len(expected)
    for fault, text in zip(faults, expected, strict=True):
        assert fault.startswith(text)


def test_what_is_no_toml_and_what_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    assert "not TOML" in faults_of(tmp_path, "id = ")[0]
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "missing.toml")
