'''The test kit: an ensemble of coord in memory, for the tests of whatever uses `client`.

It runs the real replicas (consensus, state, operations, sessions) and the real client, without
sockets, files, threads or other processes, on Trio's clock. With the autojump clock, time passes
when everybody waits: a session that expires after 30 s takes some milliseconds. With one seed,
every run is the same; another seed makes other elections, delays and orders of tasks.

    import client
    import pytest
    import trio

    pytest_plugins = ["client.testing.pytest_plugin"]  # in conftest.py, if there are more tests


    async def test_a_lock_goes_to_the_next_when_its_holder_is_cut_off(servers):
        """The session lasts 30 s; this test takes some milliseconds."""
        ended = []

        async def work(zk):
            try:
                async with zk.lock("/locks/nightly"):
                    servers.partition(zk)
                    await trio.sleep_forever()
            finally:
                ended.append(trio.current_time())

        async with servers.connect(session_timeout=30) as mine, servers.connect() as other:
            with pytest.raises(client.LockLost):
                await work(mine)
            async with other.lock("/locks/nightly"):
                assert ended[0] < trio.current_time()
            servers.heal(mine)
            await mine.sync()

The verbs are methods of `Ensemble`:

    connect                           a client that they can name
    expire                            its session ends at the servers
    partition, cut, heal              who reaches whom
    disconnect                        connections break
    drop_next_reply, drop_next_request, ignore_next_request, refuse_next
                                      what becomes of a request
    pause, resume, stop, start, restart
                                      what becomes of a replica
    leader, elected, requests         what to look at

Without pytest: `trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))`, and in `main`
`async with client.testing.ensemble() as servers`. A program under test that hangs lets the clock
run for ever: give every test a `trio.fail_after`, as the fixture does.

The replicas keep the times of real ones (a session lasts 4 to 40 s, a leader is missed after about
a second), so what a test says of seconds is what happens in life. What the kit has not: disks that
lose what they stored, snapshots, TLS, four-letter words.
'''

from client.testing.servers import Ensemble, ensemble

__all__ = ["Ensemble", "ensemble"]
