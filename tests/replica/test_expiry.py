"""Which sessions a leader expires, and which it must not."""

from coord.replica.expiry import Expiry

LEASE_MS = 1000
TIMEOUT_MS = 4000
HOME = 2


def expiry_with_home(now_ms: int = 0) -> Expiry:
    """A leader that has heard session 7 in a report which replica 2 sent at its own 50,000."""
    expiry = Expiry(now_ms, LEASE_MS)
    expiry.attached(7, TIMEOUT_MS, HOME, now_ms)
    expiry.reported(HOME, 50_000, [7], now_ms + 1)
    return expiry


def new_leader() -> Expiry:
    """A leader that began at 0 and has heard of session 7 from nobody."""
    expiry = Expiry(0, LEASE_MS)
    expiry.attached(7, TIMEOUT_MS, 0, 0)
    return expiry


def first_overdue_ms(expiry: Expiry, until_ms: int, reports: bool = False) -> int | None:
    for now_ms in range(0, until_ms, 10):
        if reports and now_ms % 100 == 0:
            expiry.reported(HOME, 50_000 + now_ms, [], now_ms + 1)
        if list(expiry.overdue(now_ms + 2)):
            return now_ms
    return None


def test_a_session_that_its_home_reports_no_more_is_overdue_after_its_timeout() -> None:
    assert first_overdue_ms(expiry_with_home(), 20_000, reports=True) == TIMEOUT_MS


def test_a_session_that_is_reported_lives_on() -> None:
    expiry = expiry_with_home()
    for now_ms in range(0, 60_000, 100):
        expiry.reported(HOME, 50_000 + now_ms, [7] if now_ms % 3000 == 0 else [], now_ms)
        assert list(expiry.overdue(now_ms)) == []


def test_the_sessions_of_a_silent_replica_live_one_lease_longer() -> None:
    overdue_ms = first_overdue_ms(expiry_with_home(), 20_000)
    assert overdue_ms is not None
    assert TIMEOUT_MS + LEASE_MS <= overdue_ms <= TIMEOUT_MS + LEASE_MS + 20


def test_a_new_leader_gives_every_session_a_timeout_and_two_leases() -> None:
    expiry = new_leader()
    overdue_ms = first_overdue_ms(expiry, 20_000)
    assert overdue_ms is not None
    assert TIMEOUT_MS + 2 * LEASE_MS <= overdue_ms <= TIMEOUT_MS + 2 * LEASE_MS + 20


def test_a_leader_that_was_away_begins_all_silences_anew() -> None:
    expiry = expiry_with_home()
    expiry.was_away(30_000)
    assert list(expiry.overdue(30_000)) == []
    assert list(expiry.overdue(30_000 + TIMEOUT_MS)) == []
    assert list(expiry.overdue(30_000 + TIMEOUT_MS + LEASE_MS + 10)) == [7]


def test_a_report_after_a_long_silence_saves_the_session_it_shows() -> None:
    expiry = expiry_with_home()
    expiry.reported(HOME, 60_000, [7], 10_000)
    assert list(expiry.overdue(10_000)) == []


def test_an_attached_session_that_was_never_reported_is_overdue_in_the_end() -> None:
    expiry = Expiry(0, LEASE_MS)
    expiry.attached(9, TIMEOUT_MS, HOME, 0)
    overdue_ms = first_overdue_ms(expiry, 20_000)
    assert overdue_ms is not None
    assert overdue_ms >= TIMEOUT_MS + LEASE_MS


def test_a_session_that_ended_is_never_overdue() -> None:
    expiry = expiry_with_home()
    expiry.ended(7)
    assert first_overdue_ms(expiry, 20_000) is None


def test_a_session_that_moves_counts_by_its_new_home() -> None:
    expiry = expiry_with_home()
    expiry.attached(7, TIMEOUT_MS, 3, 3_900)
    expiry.reported(3, 1_000, [7], 3_950)
    assert first_overdue_ms(expiry, 7_900, reports=True) is None


def test_an_overdue_session_is_named_again_only_after_another_timeout() -> None:
    expiry = new_leader()
    named = [now_ms for now_ms in range(0, 20_000, 10) for _ in expiry.overdue(now_ms)]
    assert all(later - earlier >= TIMEOUT_MS for earlier, later in zip(named, named[1:]))  # noqa: B905, RUF007


def test_a_home_that_comes_back_may_have_heard_its_sessions_until_its_last_report() -> None:
    """It answered a ping at 39 s and died before it could report that."""
    expiry = Expiry(0, 1000)
    expiry.attached(7, 40_000, 1, 0)
    expiry.reported(1, 500, [7], 100)
    expiry.reported(1, 39_400, [], 39_000)
    expiry.restarted(1)
    assert list(expiry.overdue(79_000)) == []
    assert list(expiry.overdue(82_000)) == [7]
