"""`coord status` finds the replicas wherever a client would."""

import json

import pytest
from click.testing import CliRunner

from coord.cli.status import status

PORT = 9  # nobody answers there: "discard" is not in use


@pytest.mark.parametrize(
    ("hosts", "asked"),
    [
        (f"127.0.0.1:{PORT}", [f"127.0.0.1:{PORT}"]),
        (f"127.0.0.1:{PORT},127.0.0.2:{PORT}/app", [f"127.0.0.1:{PORT}", f"127.0.0.2:{PORT}"]),
        ("[::1]", ["::1:2181"]),
        (f"zk://127.0.0.1:{PORT}/app?timeout=6s", [f"127.0.0.1:{PORT}"]),
    ],
)
def test_the_replicas_of_a_connection_string_are_asked(hosts: str, asked: list[str]) -> None:
    done = CliRunner().invoke(status, ["--json", "--hosts", hosts])
    assert [row["address"] for row in json.loads(done.stdout)] == asked


def test_what_is_no_address_is_refused() -> None:
    done = CliRunner().invoke(status, ["--hosts", "127.0.0.1:none"])
    assert done.exit_code == 2
    assert "127.0.0.1:none" in done.output
