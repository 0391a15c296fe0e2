"""What concerns the ensemble."""

import attrs

from coord import jute
from coord.consensus.configuration import Configuration, Member, MemberRole
from coord.operations.ensemble import configuration_text
from coord.wire.numbers import OpCode
from coord.wire.requests import PingRequest, ReconfigRequest, SaslRequest
from tests.operations.server import SETTINGS, TIME_MS, Recorder, configuration, error_of
from tests.operations.shell import Shell


def test_reconfiguration_is_disabled():
    request = ReconfigRequest(None, None, None, -1)
    assert error_of(Shell().connection(1).ask, OpCode.RECONFIG, request) == -123


def test_a_reconfiguration_that_cannot_be_read_is_a_marshalling_error():
    assert error_of(Shell().connection(1).ask_bytes, OpCode.RECONFIG, b"\0\0") == -5


def test_without_sasl_the_token_is_null_and_there_is_no_error():
    assert Shell().connection(1).ask(OpCode.SASL, SaslRequest(b"x")).token is None


def test_a_ping_has_no_body():
    assert Shell().connection(1).ask(OpCode.PING, PingRequest()) is None


def test_the_configuration_node_names_the_servers_for_clients():
    assert Shell().run("get /zookeeper/config") == (
        "server.1=10.0.0.1:2888:2888:participant;10.0.0.1:2181\n"
        "server.2=10.0.0.2:2888:2888:participant;10.0.0.2:2181\n"
        "server.3=10.0.0.3:2888:2888:participant;10.0.0.3:2181\n"
        "version=0"
    )


def test_observers_are_named_as_such_and_versions_are_hexadecimal():
    member = Member(9, 1, MemberRole.OBSERVER, "[::1]:2888", "[::1]:2181")
    text = configuration_text(Configuration(1, b"", "majority", (member,)), 26)
    assert text == b"server.9=[::1]:2888:2888:observer;[::1]:2181\nversion=1a"


def test_a_later_configuration_is_a_change_of_its_node():
    shell = Shell()
    shell.run("create /a")
    machine = shell.server.machine
    audience = Recorder()
    later = attrs.evolve(SETTINGS, ttl_nodes=False)
    machine.configure(configuration(later, ids=(4,)), TIME_MS + 5, audience)
    assert audience.heard == [("changed", 3, "/zookeeper/config", 3)]
    assert machine.zxid == 3
    assert machine.settings == later
    assert shell.run("get /zookeeper/config").endswith("version=3")
    assert shell.run("stat /zookeeper/config version,aversion,mzxid,mtime") == "-1 -1 3 5"
    assert shell.run("ttl:5 /t 10") == "-6"
    assert shell.run("get /a") == "x"


def test_the_settings_of_a_configuration_are_a_record():
    decoded = Configuration.decode(configuration())
    assert jute.decode_all(type(SETTINGS), decoded.settings) == SETTINGS
