"""Which paths are legal."""

import pytest

from coord.state.paths import ancestors, child_of, is_name, is_path, parent_of

LEGAL = [
    "/",
    "/a",
    "/a/b",
    "/...",
    "/a b",
    "/~",
    "/é",
    "/中",
    "/\ud7ff",
    "/\uf900",
    "/\uffef",
    "/.a",
    "/a.",
]
ILLEGAL = [
    "", "a", "//", "/a/", "//a", "/a//b", "/.", "/..", "/a/.", "/a/../b", "/\0", "/a\x01", "/\x1f",
    "/\x7f", "/\x85", "/\x9f", "/\ue000", "/\uf8ff", "/\ufff0", "/\uffff", "/\U0001f600", "a/b",
]  # fmt: skip


@pytest.mark.parametrize("path", LEGAL)
def test_a_legal_path(path):
    assert is_path(path.encode())


@pytest.mark.parametrize("path", ILLEGAL)
def test_an_illegal_path(path):
    assert not is_path(path.encode())


@pytest.mark.parametrize("path", [b"/\xff", b"/\xc0\x80", b"/\xed\xa0\x80", b"/a\xc3"])
def test_what_is_not_utf_8_is_illegal(path):
    assert not is_path(path)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"\0"])
def test_what_is_no_name(name):
    assert not is_name(name)


@pytest.mark.parametrize(
    ("path", "parent"), [(b"/a", b"/"), (b"/a/b", b"/a"), (b"/a/b/c", b"/a/b"), (b"/", b"/")]
)
def test_the_parent_is_what_stands_before_the_last_slash(path, parent):
    assert parent_of(path) == parent
    if path != b"/":
        assert child_of(parent, path.rpartition(b"/")[2]) == path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/", []),
        (b"/a", []),
        (b"/a/b", [b"/a"]),
        (b"/a/b/c", [b"/a/b", b"/a"]),
        (b"/a/b/c/d", [b"/a/b/c", b"/a/b", b"/a"]),
    ],
)
def test_ancestors_begin_at_the_parent_and_leave_out_the_root(path, expected):
    assert ancestors(path) == expected
