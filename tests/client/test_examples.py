"""The examples of the README, as they stand there."""

import pytest
import trio

EXAMPLES = {
    "lock": """
import os
import client
import trio

async def main():
    async with client.connect(os.environ["COORD_HOSTS"]) as zk:
        async with zk.lock("/locks/nightly") as held:   # waits in a fair queue
            print("holding, fencing token", held.token)
            async with zk.transaction() as both:        # fails unless the lock is held still
                both.add(held.guard())
                both.create("/done", b"%d" % held.token)
    # client.LockLost comes out of the block if the hold could not be proved to its end

trio.run(main)
""",
    "election": """
import os
import client
import trio

async def main():
    async with client.connect(os.environ["COORD_HOSTS"]) as zk:
        async with zk.lead("/service", b"10.0.0.1:8080") as term:   # waits until it leads
            print("leading, term", term.token)
            async for leader in zk.observe("/service"):             # anybody can look
                print("the leader is", leader.data if leader else "nobody")
                break

trio.run(main)
""",
    "config": """
import os
import attrs, client, trio

@attrs.frozen
class Settings:
    rate: float
    burst: int = attrs.field(default=1, validator=attrs.validators.ge(1))

async def main():
    async with client.connect(os.environ["COORD_HOSTS"]) as zk:
        await zk.create("/app", b'{"rate": 2.5}')
        async for settings in zk.config("/app", Settings):   # the first at once, then each change
            if isinstance(settings, client.BadConfig):
                print("keeping", settings.last_good, "because", *settings.problems)
                break
            print("now", settings)
            await zk.set("/app", b'{"rate": "much"}')

trio.run(main)
""",
}

OUTPUT = {
    "lock": "holding, fencing token",
    "election": "the leader is b'10.0.0.1:8080'",
    "config": "keeping Settings(rate=2.5, burst=1) because a number is needed, not a text @ $.rate",
}


@pytest.mark.parametrize("name", EXAMPLES)
async def test_the_example_runs(hosts, name, monkeypatch, capsys):
    monkeypatch.setenv("COORD_HOSTS", hosts)
    program = compile(EXAMPLES[name], name, "exec")
    await trio.to_thread.run_sync(exec, program, {})
    assert OUTPUT[name] in capsys.readouterr().out
