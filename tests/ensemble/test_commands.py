"""The command line: the contract that scripts outside the project rely on."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from coord.cli.dev import ENDS_WITHIN_S
from tests.ensemble.commands import coord, coord_here, dev_port, start_coord


def serve_config(folder: Path, port: int, extra: str = "") -> Path:
    path = folder / "replica.toml"
    path.write_text(
        f'id = 1\ndata_dir = "{folder / "data"}"\n{extra}\n'
        f'[[replicas]]\nid = 1\npeer = "127.0.0.1:{port + 707}"\nclient = "127.0.0.1:{port}"\n'
    )
    return path


def first_replica(process: subprocess.Popen[str]) -> int:
    """Return its process id, as `coord dev` says it."""
    assert process.stdout is not None
    line = next(line for line in process.stdout if "pid " in line)
    return int(line.partition("pid ")[2].partition(")")[0])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_dev_runs_a_command_with_the_hosts_and_returns_its_status() -> None:
    port = dev_port()
    script = "import os, sys; print(os.environ['COORD_HOSTS']); sys.exit(7)"
    done = coord("dev", "--port", str(port), "--", sys.executable, "-c", script)
    assert done.returncode == 7, done.stdout + done.stderr
    hosts = ",".join(f"127.0.0.1:{number}" for number in range(port, port + 3))
    assert hosts in done.stdout
    assert not any(is_listening(number) for number in range(port, port + 3))


def test_dev_keeps_its_tree_with_data(tmp_path: Path) -> None:
    port, data = str(dev_port(1)), str(tmp_path / "kept")
    dev = ("dev", "--replicas", "1", "--port", port, "--data", data, "--")
    shell = (sys.executable, "-m", "coord", "shell", "--")
    first = coord(*dev, *shell, "create", "/kept", "here")
    assert (first.returncode, first.stdout) == (0, "/kept\n"), first.stderr
    second = coord(*dev, *shell, "get", "/kept")
    assert (second.returncode, second.stdout) == (0, "here\n"), second.stderr


def test_dev_says_what_to_try_and_ends_on_a_signal_without_leaving_anything() -> None:
    port = dev_port(1)
    process = start_coord("dev", "--replicas", "1", "--port", str(port))
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while "Ctrl-C" not in "".join(lines):
            line = process.stdout.readline()
            assert line, lines
            lines.append(line)
        text = "".join(lines)
        assert f"Serving on 127.0.0.1:{port}" in text
        assert "coord shell" in text
        replica = int(text.partition("pid ")[2].partition(")")[0])
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
    with pytest.raises(ProcessLookupError):
        os.kill(replica, 0)


def test_dev_that_is_told_twice_to_end_does_so_at_once_and_leaves_nothing_either() -> None:
    port = dev_port(1)
    with start_coord("dev", "--replicas", "1", "--port", str(port)) as process:
        replica = first_replica(process)
        os.kill(replica, signal.SIGSTOP)  # so that it does not end by itself
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(ENDS_WITHIN_S - 1) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(replica, 0)


def test_signals_that_come_to_dev_at_once_leave_nothing_either() -> None:
    port = dev_port(1)
    with start_coord("dev", "--replicas", "1", "--port", str(port)) as process:
        replica = first_replica(process)
        process.send_signal(signal.SIGSTOP)  # so that all of them wait when it goes on
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            process.send_signal(number)
        try:
            assert process.wait(20) == 0
            with pytest.raises(ProcessLookupError):
                os.kill(replica, 0)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(replica, signal.SIGKILL)


def test_dev_refuses_quorums_that_miss_each_other_and_ports_in_use() -> None:
    done = coord("dev", "--replicas", "5", "--quorums", "simple L=3 R=2")
    assert done.returncode == 2
    assert "{" in done.stderr
    with socket.socket() as taken:
        port = dev_port(1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = coord("dev", "--replicas", "1", "--port", str(port))
        assert done.returncode == 2
        assert f"port {port}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("get", "/missing"), 1, "NoNode"),
        (("frobnicate",), 2, "unknown command"),
        (("get",), 2, "write: get [-s] [-w] PATH"),
        (("set", "/zookeeper", "x", "seven"), 2, "a version is a whole number"),
        (("get", "relative"), 2, "relative"),
        (("set", "/zookeeper/config", "x"), 1, "NoAuth"),
    ],
)
def test_a_shell_command_that_cannot_be_carried_out_says_why(
    hosts: str, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = coord_here("shell", "--hosts", hosts, "--", *arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_shell_commands_do_what_they_say(hosts: str) -> None:
    def shell(*arguments: str) -> str:
        done = coord_here("shell", "--hosts", hosts, "--", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert shell("create", "-p", "/a/b", "one") == "/a/b\n"
    assert shell("get", "/a/b") == "one\n"
    shell("set", "/a/b", "two", "0")
    assert "dataVersion = 1\n" in shell("stat", "/a/b")
    assert shell("ls", "/a") == "b\n"
    assert shell("ls", "-R", "/a") == "/a\n/a/b\n"
    shell("delete", "-r", "/a")
    assert "a\n" not in shell("ls", "/")


def test_status_shows_every_replica_and_fails_for_one_that_does_not_answer(hosts: str) -> None:
    done = coord_here("status", "--hosts", hosts)
    assert done.returncode == 0, done.stdout
    assert "standalone" in done.stdout
    done = coord_here("status", "--hosts", f"{hosts},127.0.0.1:1")
    assert done.returncode == 1
    assert "does not answer" in done.stdout


def test_quorum_check_tells_legal_from_unsafe() -> None:
    refused = coord_here("quorum", "check", "simple L=7 R=3", "--replicas", "10")
    assert refused.returncode == 1
    assert coord_here("quorum", "check", "simple L=8 R=3", "--replicas", "10").returncode == 0


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory):
    """One replica that serves while this module's tests run."""
    port = dev_port(1)
    process = start_coord("dev", "--replicas", "1", "--port", str(port))
    try:
        assert process.stdout is not None
        while "Ctrl-C" not in (line := process.stdout.readline()):
            assert line
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_serve_names_every_fault_of_its_configuration(tmp_path: Path) -> None:
    path = serve_config(tmp_path, dev_port(1), 'colour = "red"\ntick_ms = "fast"')
    done = coord("serve", str(path))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert "colour: unknown key" in done.stderr
    assert "tick_ms" in done.stderr
    assert not (tmp_path / "data").exists()


def test_serve_refuses_a_port_in_use_and_a_folder_in_use(tmp_path: Path) -> None:
    port = dev_port(1)
    path = serve_config(tmp_path, port)
    first = start_coord("serve", str(path))
    try:
        assert first.stdout is not None
        assert "started" in first.stdout.readline()
        second = coord("serve", str(path))
        assert second.returncode == 2
        assert len(second.stderr.splitlines()) == 1
        assert "in use" in second.stderr
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        third = coord("serve", str(serve_config(elsewhere, port)))
        assert third.returncode == 2
        assert "cannot listen" in third.stderr
        assert first.poll() is None
    finally:
        first.terminate()
        first.communicate(timeout=20)
    assert first.returncode == 0


def test_serve_refuses_the_folder_of_another_replica_and_a_newer_format(tmp_path: Path) -> None:
    path = serve_config(tmp_path, dev_port(1))
    first = start_coord("serve", str(path))
    assert first.stdout is not None
    first.stdout.readline()
    first.terminate()
    first.communicate(timeout=20)
    path.write_text(path.read_text().replace("id = 1", "id = 2"))
    other = coord("serve", str(path))
    assert other.returncode == 2
    assert "replica 1" in other.stderr
    identity = tmp_path / "data" / "identity.json"
    identity.write_text(identity.read_text().replace('"format": 1', '"format": 99'))
    path.write_text(path.read_text().replace("id = 2", "id = 1"))
    newer = coord("serve", str(path))
    assert newer.returncode == 2
    assert "99" in newer.stderr


def test_clients_over_the_limit_of_descriptors_are_turned_away(tmp_path: Path) -> None:
    port = dev_port(1)
    arguments = ("serve", str(serve_config(tmp_path, port)))
    with start_coord(*arguments, files_max=64) as process, contextlib.ExitStack() as stack:
        zk = KazooClient(f"127.0.0.1:{port}")
        zk.start()
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(100)
        ]
        for client in clients[-10:]:
            client.settimeout(30)
            assert client.recv(1) == b""
        assert zk.exists("/") is not None
        zk.stop()
        zk.close()
        process.terminate()


def test_a_disk_that_fails_ends_the_replica_with_one_line_and_loses_nothing(
    tmp_path: Path,
) -> None:
    port = dev_port(1)
    config = serve_config(tmp_path, port)
    limited = start_coord("serve", str(config), file_bytes_max=8 << 20)
    acknowledged = 0
    with contextlib.suppress(KazooException):
        zk = KazooClient(f"127.0.0.1:{port}")
        zk.start()
        try:
            while True:
                zk.create(f"/{acknowledged}", b"x" * 500_000)
                acknowledged += 1
        finally:
            zk.stop()
            zk.close()
    with limited:
        output, _ = limited.communicate(timeout=20)
    assert limited.returncode == 1
    assert output.splitlines()[-1].startswith("coord: a write in ")
    assert "Traceback" not in output
    assert acknowledged > 0
    with start_coord("serve", str(config)) as whole:
        zk = KazooClient(f"127.0.0.1:{port}")
        zk.start()
        assert {str(number) for number in range(acknowledged)} <= set(zk.get_children("/"))
        zk.stop()
        zk.close()
        whole.terminate()
