"""The admin address of a real replica: commands, metrics, health, and a port in use."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from tests.ensemble.commands import coord, dev_port, start_coord
from tests.ensemble.processes import wait_for
from tests.ensemble.test_commands import serve_config


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def healthy(port: int) -> bool:
    try:
        return get(port, "/health")[0] == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The admin port of a replica with one client, one watch and one ephemeral node."""
    clients = dev_port(2)
    admin = clients + 1
    folder = tmp_path_factory.mktemp("admin")
    config = serve_config(folder, clients, f'admin_address = "127.0.0.1:{admin}"')
    with start_coord("serve", str(config)) as process:
        try:
            wait_for(lambda: healthy(admin), seconds=10, what="the replica is healthy")
            zk = KazooClient(f"127.0.0.1:{clients}")
            zk.start()
            zk.create("/here", b"", ephemeral=True)
            zk.exists("/here", watch=lambda _event: None)
            yield admin
            zk.stop()
            zk.close()
        finally:
            process.terminate()


# Fields that ZooKeeper 3.8 gives to each of these, with those of their values that are known here.
COMMANDS = [
    ("ruok", "ruok", {}),
    ("isro", "is_read_only", {"read_only": False}),
    ("watch_summary", "watch_summary", {"num_connections": 1, "num_paths": 1}),
    ("conf", "configuration", {"tick_time": 2000, "server_id": 1}),
    ("mntr", "monitor", {"server_state": "standalone", "ephemerals_count": 1, "watch_count": 1}),
    ("lead", "leader", {"is_leader": True}),
]


@pytest.mark.parametrize(("word", "name", "fields"), COMMANDS)
def test_commands_answer_with_zookeepers_names(port: int, word: str, name: str, fields) -> None:
    status, body = get(port, f"/commands/{word}")
    answer = json.loads(body)
    assert status == 200
    assert (answer["command"], answer["error"]) == (name, None)
    assert {key: answer[key] for key in fields} == fields


def test_the_list_of_commands_links_to_commands_that_answer(port: int) -> None:
    names = re.findall(r'href="(/commands/\w+)"', get(port, "/commands")[1])
    assert len(names) == 11
    for name in names:
        assert json.loads(get(port, name)[1])["error"] is None


def test_connections_and_ephemerals_are_told(port: int) -> None:
    (connection,) = json.loads(get(port, "/commands/cons")[1])["connections"]
    owned = json.loads(get(port, "/commands/dump")[1])["session_id_to_ephemeral_paths"]
    assert owned == {connection["session_id"]: ["/here"]}
    assert json.loads(get(port, "/commands/srvr")[1])["server_stats"]["uptime"] > 0


def test_what_is_not_known_is_said_as_zookeeper_says_it(port: int) -> None:
    assert json.loads(get(port, "/commands/nosuch")[1]) == {
        "command": "nosuch",
        "error": "Unknown command: nosuch",
    }
    assert get(port, "/")[0] == 404


def test_metrics_are_in_the_text_form_of_prometheus(port: int) -> None:
    status, text = get(port, "/metrics")
    assert status == 200
    label = r'\w+="(\\.|[^"\\])*"'
    sample = re.compile(rf"(\w+)(\{{{label}(,{label})*\}})? (-?[0-9.e+]+)")
    found = {}
    for line in text.splitlines():
        if not line.startswith("# TYPE "):
            match = sample.fullmatch(line)
            assert match, line
            found[match[1]] = float(match[6])
    assert (found["ephemerals_count"], found["coord_serving"], found["coord_info"]) == (1, 1, 1)


def test_an_admin_port_in_use_is_one_line_and_a_status(tmp_path: Path) -> None:
    clients = dev_port(2)
    with socket.create_server(("127.0.0.1", clients + 1)):
        config = serve_config(tmp_path, clients, f'admin_address = "127.0.0.1:{clients + 1}"')
        done = coord("serve", str(config))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"coord: cannot listen on 127.0.0.1:{clients + 1}: Address already in use"
    )
    assert "Traceback" not in done.stderr
