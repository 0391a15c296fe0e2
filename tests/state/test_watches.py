"""The watch table of one replica."""

import random

import pytest

from coord.state.watches import Watch, WatchTable
from coord.wire.errors import QuotaExceeded
from coord.wire.numbers import EventType, WatcherType

CREATED, DELETED = EventType.NODE_CREATED, EventType.NODE_DELETED
CHANGED, CHILDREN = EventType.NODE_DATA_CHANGED, EventType.NODE_CHILDREN_CHANGED

HEARD = {
    Watch.DATA: {CREATED, DELETED, CHANGED},
    Watch.CHILDREN: {DELETED, CHILDREN},
    Watch.PERSISTENT: {CREATED, DELETED, CHANGED, CHILDREN},
    Watch.RECURSIVE: {CREATED, DELETED, CHANGED},
}


@pytest.mark.parametrize("watch", Watch)
@pytest.mark.parametrize("event", [CREATED, DELETED, CHANGED, CHILDREN])
def test_a_watch_hears_what_it_is_for_and_one_shots_go(watch, event):
    table = WatchTable()
    table.add("w", b"/a", watch)
    heard = event in HEARD[watch]
    assert list(table.trigger(event, b"/a")) == (["w"] if heard else [])
    stays = not heard or watch in (Watch.PERSISTENT, Watch.RECURSIVE)
    assert table.contains("w", b"/a", WatcherType.ANY) == stays
    assert table.count == stays


def test_one_trigger_tells_a_watcher_once():
    table = WatchTable()
    for watch in Watch:
        table.add("w", b"/a", watch)
    table.add("w", b"/", Watch.RECURSIVE)
    assert list(table.trigger(DELETED, b"/a")) == ["w"]
    assert not table.contains("w", b"/a", WatcherType.DATA)
    assert not table.contains("w", b"/a", WatcherType.CHILDREN)
    assert table.contains("w", b"/a", WatcherType.PERSISTENT)


def test_watchers_are_told_in_the_order_they_came():
    table = WatchTable()
    for watcher in "cab":
        table.add(watcher, b"/a", Watch.DATA)
    assert list(table.trigger(CHANGED, b"/a")) == ["c", "a", "b"]


def test_a_recursive_watch_hears_of_every_descendant_and_of_no_neighbour():
    table = WatchTable()
    table.add("w", b"/a", Watch.RECURSIVE)
    for path in (b"/a", b"/a/b", b"/a/b/c"):
        assert list(table.trigger(CHANGED, path)) == ["w"]
        assert list(table.trigger(CHILDREN, path)) == []
    for path in (b"/", b"/ab", b"/b/a"):
        assert list(table.trigger(CHANGED, path)) == []


def test_a_recursive_watch_on_the_root_hears_everything():
    table = WatchTable()
    table.add("w", b"/", Watch.RECURSIVE)
    assert [list(table.trigger(CREATED, path)) for path in (b"/", b"/a", b"/a/b")] == [["w"]] * 3


def test_removing_names_a_type():
    table = WatchTable()
    for watch in Watch:
        table.add("w", b"/a", watch)
    assert table.remove("w", b"/a", WatcherType.DATA)
    assert not table.remove("w", b"/a", WatcherType.DATA)
    assert table.contains("w", b"/a", WatcherType.CHILDREN)
    assert table.remove("w", b"/a", WatcherType.ANY)
    assert not table.remove("w", b"/a", WatcherType.ANY)
    assert table.count == 0
    assert list(table.trigger(DELETED, b"/a/b")) == []


def test_a_watcher_that_is_gone_leaves_nothing_behind():
    table = WatchTable()
    table.add("gone", b"/a", Watch.DATA | Watch.RECURSIVE)
    table.add("gone", b"/b", Watch.CHILDREN)
    table.add("stays", b"/a", Watch.DATA)
    table.drop("gone")
    table.drop("never seen")
    assert (table.count, table.path_count, table.watcher_count) == (1, 1, 1)
    assert dict(table.by_path()) == {b"/a": ("stays",)}
    assert table.paths_of("gone") == ()
    assert list(table.trigger(DELETED, b"/a/b")) == []


def test_the_watches_of_one_watcher_have_a_budget():
    table = WatchTable(budget_bytes=1000)
    for number in range(4):
        table.add("greedy", b"/%d" % number, Watch.DATA)
    with pytest.raises(QuotaExceeded):
        table.add("greedy", b"/4", Watch.DATA)
    table.add("other", b"/a", Watch.DATA)
    assert table.remove("greedy", b"/0", WatcherType.ANY)
    table.add("greedy", b"/9", Watch.DATA)
    table.add("greedy", b"/9", Watch.CHILDREN)  # the same path costs nothing more
    with pytest.raises(QuotaExceeded):
        table.add("greedy", b"/0", Watch.DATA)
    table.drop("greedy")
    table.add("greedy", b"/" + b"x" * 700, Watch.DATA)


@pytest.mark.parametrize("seed", range(10))
def test_random_watches_are_heard_as_a_plain_list_of_them_says(seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    table = WatchTable()
    plain: set[tuple[str, bytes, Watch]] = set()
    paths = [b"/", b"/a", b"/a/b", b"/a/b/c", b"/d"]
    for _ in range(300):
        watcher, path, watch = rng.choice("xyz"), rng.choice(paths), rng.choice(list(Watch))
        choice = rng.random()
        if choice < 0.5:
            table.add(watcher, path, watch)
            plain.add((watcher, path, watch))
        elif choice < 0.55:
            table.drop(watcher)
            plain = {each for each in plain if each[0] != watcher}
        else:
            event = rng.choice([CREATED, DELETED, CHANGED, CHILDREN])
            here = {e for e in plain if e[1] == path and event in HEARD[e[2]]}
            above = {
                e
                for e in plain
                if e[2] is Watch.RECURSIVE
                and event is not CHILDREN
                and (path + b"/").startswith(e[1].rstrip(b"/") + b"/")
            }
            assert set(table.trigger(event, path)) == {e[0] for e in here | above}
            plain -= {e for e in here if e[2] in (Watch.DATA, Watch.CHILDREN)}
        assert table.count == len({e[:2] for e in plain})
