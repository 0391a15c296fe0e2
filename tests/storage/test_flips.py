"""Random damage to real files, in processes of their own: `tests.storage.flips` plays more."""

from pathlib import Path

from tests.storage.flips import play


def test_spoilt_files_are_found_out_or_show_what_was_written(tmp_path: Path) -> None:
    outcomes = play(50, 7, tmp_path)
    print(outcomes)
    assert sum(outcomes.values()) == 50
    assert set(outcomes) >= {
        "ended: DamagedLog",
        "the tree is fetched",
        "entries are fetched",
        "the log begins anew at the tree",
        "nothing was read there",
    }
