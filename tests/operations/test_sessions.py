"""Sessions: attached, taken over, closed, expired."""

import pytest

from coord.operations.internal import AttachRequest
from coord.wire.errors import SessionExpired, SessionMoved
from coord.wire.numbers import OpCode
from coord.wire.requests import SetDataRequest
from tests.operations.server import Server, error_of
from tests.operations.shell import Shell


def test_sessions_are_numbered_from_one_and_attached_once():
    server = Server()
    first = server.attach(AttachRequest(0, b"", 4000))
    second = server.attach(AttachRequest(0, b"ignored", 6000))
    assert [first.session_id, second.session_id] == [1, 2]
    assert first.attachment == 1
    assert (first.timeout_ms, second.timeout_ms) == (4000, 6000)
    assert server.machine.session(2).timeout_ms == 6000
    assert list(server.machine.sessions()) == [1, 2]
    assert server.machine.session_count == 2


def test_passwords_are_sixteen_bytes_and_differ():
    server = Server()
    passwords = {server.attach(AttachRequest(0, b"", 4000)).password for _ in range(3)}
    assert len(passwords) == 3
    assert {len(each) for each in passwords} == {16}


def test_the_right_password_takes_a_session_over_and_the_old_connection_is_told():
    server = Server()
    old = server.connect()
    again = server.attach(AttachRequest(old.session_id, old.password, 9000))
    assert (again.session_id, again.attachment, again.timeout_ms) == (old.session_id, 2, 9000)
    assert again.password == old.password
    assert server.audience.heard[0] == ("moved", old.session_id, 2)
    assert server.machine.session(old.session_id).attachment == 2


@pytest.mark.parametrize("password", [b"", b"x" * 16, bytes(16), b"x" * 100])
def test_a_wrong_password_changes_nothing(password):
    server = Server()
    old = server.connect()
    with pytest.raises(SessionExpired):
        server.attach(AttachRequest(old.session_id, password, 9000))
    assert server.machine.session(old.session_id).attachment == 1
    assert [each[0] for each in server.audience.heard] == ["settled"]


@pytest.mark.parametrize("session_id", [1, 99, -1, 2**63 - 1, -(2**63)])
def test_a_session_that_is_not_there_cannot_be_taken_over(session_id):
    server = Server()
    with pytest.raises(SessionExpired):
        server.attach(AttachRequest(session_id, b"x" * 16, 4000))


def test_a_session_that_ended_cannot_be_taken_over_with_its_password():
    shell = Shell()
    connection = shell.connection(1)
    shell.run("close")
    with pytest.raises(SessionExpired):
        shell.server.attach(AttachRequest(connection.session_id, connection.password, 4000))


def test_a_write_under_an_older_attachment_is_refused_as_moved():
    shell = Shell()
    connection = shell.connection(1)
    shell.run("create /a")
    shell.server.attach(AttachRequest(connection.session_id, connection.password, 4000))
    with pytest.raises(SessionMoved):
        connection.ask(OpCode.SET_DATA, SetDataRequest("/a", b"y", -1))
    assert shell.run("2: get /a") == "x"


def test_a_write_of_a_session_that_is_over_is_refused_as_expired():
    shell = Shell()
    assert shell.run("close; create /a") == "-112"
    assert shell.run("close") == "-112"


def test_a_close_under_an_older_attachment_does_not_end_the_session():
    shell = Shell()
    connection = shell.connection(1)
    shell.server.attach(AttachRequest(connection.session_id, connection.password, 4000))
    assert shell.run("close") == "-118"
    assert shell.server.machine.session_count == 1


def test_a_close_deletes_the_ephemeral_nodes_in_order_of_their_paths_then_ends():
    shell = Shell()
    shell.run("create:1 /c; create:1 /a; create /p; create:1 /p/b; 2: create:1 /d; close")
    heard = shell.server.audience.heard
    changed = [(each[1], each[2]) for each in heard if each[0] == "changed"]
    assert changed == [(2, "/a"), (4, "/"), (2, "/c"), (4, "/"), (2, "/p/b"), (4, "/p")]
    assert [each[0] for each in heard[-2:]] == ["ended", "settled"]
    assert heard[-2] == ("ended", 1)
    assert shell.run("2: ls /") == "d p zookeeper"
    assert shell.run("2: stat / pzxid") == str(shell.server.machine.zxid)
    assert shell.server.machine.ephemeral_count == 1


def test_an_expiry_ends_the_session_it_saw():
    shell = Shell()
    shell.run("create:1 /e")
    shell.server.expire(1, 1)
    assert ("ended", 1) in shell.server.audience.heard
    assert shell.run("2: exists /e") == "-101"


def test_an_expiry_of_an_older_attachment_has_no_effect():
    shell = Shell()
    connection = shell.connection(1)
    shell.run("create:1 /e")
    shell.server.attach(AttachRequest(connection.session_id, connection.password, 4000))
    shell.server.expire(1, 1)
    assert shell.run("2: exists /e") == "0"
    assert shell.server.machine.session_count == 2


def test_an_expiry_of_nobody_has_no_effect():
    server = Server()
    server.expire(7, 1)
    assert server.machine.session_count == 0


def test_a_failed_write_leaves_the_session_alone():
    shell = Shell()
    assert error_of(shell.connection(1).ask, OpCode.SET_DATA, SetDataRequest("/a", b"", 0)) == -101
    assert shell.run("create /a") == "/a"
