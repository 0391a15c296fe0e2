"""The program of a user runs as mypy has understood it; the gates check its types, strictly."""

import tomllib
from pathlib import Path

import attrs
import trio

import client
from client import ClientConfig
from coord.wire import errors
from tests.client import usage

ROOT = Path(__file__).parents[2]


def test_the_types_of_the_program_are_checked_strictly():
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert mypy["strict"]
    assert "tests/client/usage.py" in mypy["files"]
    assert (ROOT / "client" / "py.typed").exists()


async def test_the_program_runs(autojump_clock, servers):
    slow = usage.Slow()
    async with servers.connect() as zk:
        await zk.create("/app")
    hosts = ClientConfig(servers.hosts + "/app").hosts
    config = attrs.evolve(usage.configuration(), hosts=hosts)
    reach = servers.open_stream
    async with client.connect(
        config, instruments=[slow], open_stream=reach, clock=trio.current_time
    ) as zk:
        await usage.znodes(zk)
        await usage.several(zk)
        await usage.watches(zk)
        await usage.locks(zk)
        await usage.values(zk)
        await usage.groups(zk)
        assert usage.state(zk) == "there"
    assert slow.found == []


def test_there_is_a_class_for_every_code_of_an_error():
    for error in errors.ERRORS.values():
        assert getattr(client, error.__name__) is error
        assert error.__name__ in client.__all__


def test_every_public_name_is_described_and_what_is_exported_is_there():
    for name in client.__all__:
        assert hasattr(client, name)
        if isinstance(getattr(client, name), type):
            assert getattr(client, name).__doc__
