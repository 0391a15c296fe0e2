"""Pings are answered only while the leader has echoed a report that is new enough."""

from coord.replica.leases import Lease


def test_a_lease_does_not_hold_before_the_first_echo() -> None:
    assert not Lease(1000).holds(0)


def test_a_lease_holds_for_its_window_after_the_report_was_sent() -> None:
    lease = Lease(1000)
    lease.echo(500)
    assert lease.holds(1500)
    assert not lease.holds(1501)


def test_an_old_echo_that_comes_late_shortens_nothing() -> None:
    lease = Lease(1000)
    lease.echo(500)
    lease.echo(100)
    assert lease.holds(1500)
