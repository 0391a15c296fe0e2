"""The replicated sessions."""

import pytest

from coord.state.dict_store import DictStore
from coord.state.sessions import PASSWORD_SIZE, Session, Sessions, password_of
from coord.state.tree import Tree, recompute_digest
from coord.wire.errors import SessionExpired


def test_a_session_is_attached_once_when_it_begins():
    sessions = Sessions(Tree(DictStore()))
    assert sessions.open(4000) == 1
    assert sessions.open(5000) == 2
    assert sessions.get(1) == Session(1, 4000)
    assert sessions.get(3) is None
    assert list(sessions) == [1, 2]


def test_resuming_raises_the_attachment_and_renegotiates():
    sessions = Sessions(Tree(DictStore()))
    sessions.open(4000)
    assert sessions.resume(1, 9000) == 2
    assert sessions.get(1) == Session(2, 9000)
    with pytest.raises(SessionExpired):
        sessions.resume(2, 9000)


def test_ids_are_never_used_again():
    tree = Tree(DictStore())
    sessions = Sessions(tree)
    sessions.end(sessions.open(4000))
    tree.save()
    assert Sessions(Tree(tree.store)).open(4000) == 2


def test_sessions_are_found_again_in_the_store():
    tree = Tree(DictStore())
    sessions = Sessions(tree)
    for timeout_ms in (1000, 2000, 3000):
        sessions.open(timeout_ms)
    sessions.resume(2, 5000)
    assert sessions.end(1) == []
    tree.save()
    again = Sessions(Tree(tree.store))
    assert len(again) == 2
    assert {each: again.get(each) for each in again} == {2: Session(2, 5000), 3: Session(1, 3000)}
    assert recompute_digest(tree.store) == tree.digest


def test_a_password_depends_on_the_key_and_on_the_session():
    passwords = {password_of(key, session) for key in (b"a", b"b") for session in (1, 2)}
    assert len(passwords) == 4
    assert {len(each) for each in passwords} == {PASSWORD_SIZE}
    assert password_of(b"a", 1) == password_of(b"a", 1)
