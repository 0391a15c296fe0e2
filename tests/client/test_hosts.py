"""The connection string."""

import pytest

from client.hosts import Hosts


@pytest.mark.parametrize(
    ("text", "addresses", "chroot"),
    [
        ("a:1", (("a", 1),), ""),
        ("a", (("a", 2181),), ""),
        ("a:", (("a", 2181),), ""),
        ("a:1, b:2", (("a", 1), ("b", 2)), ""),
        ("a:1,b:2/app/x", (("a", 1), ("b", 2)), "/app/x"),
        ("a:1/", (("a", 1),), ""),
        ("a:1/app/", (("a", 1),), "/app"),
        ("[::1]:5,[fe80::1]", (("::1", 5), ("fe80::1", 2181)), ""),
    ],
)
def test_a_connection_string_is_taken_apart(text, addresses, chroot):
    assert Hosts.parse(text) == Hosts(addresses, chroot)


@pytest.mark.parametrize(
    "text", ["", "/app", ",", ":1", "a:0", "a:65536", "a:x", "[::1", "[::1]5", "a:1//x"]
)
def test_what_is_no_connection_string_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Hosts.parse(text)


@pytest.mark.parametrize(
    ("chroot", "full", "own"),
    [
        ("", "/app", "/app"),
        ("", "/", "/"),
        ("/app", "/app/x", "/x"),
        ("/app", "/app/app", "/app"),
        ("/app", "/app", "/"),
        ("/app", "/application", "/application"),
        ("/app", "", ""),
        ("", "", ""),
    ],
)
def test_the_chroot_is_taken_off_where_it_is(chroot, full, own):
    assert Hosts.parse("a" + chroot).own(full) == own
