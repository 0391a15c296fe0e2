"""Who may use a data folder."""

import json

import pytest

from coord.storage.errors import DataFolderError
from coord.storage.folder import FORMAT, DataFolder


def test_a_folder_is_made_and_opened_again_by_its_replica(tmp_path):
    path = tmp_path / "deep" / "data"
    DataFolder.open(path, 3).close()
    folder = DataFolder.open(path, 3)
    assert folder.replica_id == 3
    folder.close()


def test_a_second_opener_is_refused_until_the_first_is_gone(tmp_path):
    first = DataFolder.open(tmp_path / "data", 1)
    with pytest.raises(DataFolderError, match="is in use by another process"):
        DataFolder.open(tmp_path / "data", 1)
    first.close()
    DataFolder.open(tmp_path / "data", 1).close()


def test_a_folder_of_another_replica_is_refused(tmp_path):
    DataFolder.open(tmp_path / "data", 1).close()
    with pytest.raises(DataFolderError, match="belongs to replica 1, not to replica 2"):
        DataFolder.open(tmp_path / "data", 2)
    DataFolder.open(tmp_path / "data", 1).close()  # the refused opener holds no lock


def test_a_folder_of_a_newer_format_is_refused(tmp_path):
    DataFolder.open(tmp_path / "data", 1).close()
    newer = json.dumps({"format": FORMAT + 1, "replica": 1})
    (tmp_path / "data" / "identity.json").write_text(newer)
    with pytest.raises(DataFolderError, match="format 2, written by a newer coord"):
        DataFolder.open(tmp_path / "data", 1)


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"...")
    with pytest.raises(DataFolderError, match=r"not a data folder of coord .*photo\.jpg"):
        DataFolder.open(tmp_path, 1)
    assert {entry.name for entry in tmp_path.iterdir()} == {"photo.jpg", "lock"}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "x", "replica": 1}', '{"format": 1'])
def test_a_damaged_identity_is_refused(tmp_path, text):
    DataFolder.open(tmp_path / "data", 1).close()
    (tmp_path / "data" / "identity.json").write_text(text)
    with pytest.raises(DataFolderError, match=r"identity\.json is damaged"):
        DataFolder.open(tmp_path / "data", 1)


def test_a_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DataFolderError, match="cannot be used: Not a directory"):
        DataFolder.open(tmp_path / "data", 1)


def test_a_crash_before_the_identity_was_complete_leaves_a_new_folder(tmp_path):
    (tmp_path / "lock").write_bytes(b"")
    (tmp_path / "identity.json.new").write_text('{"form')
    DataFolder.open(tmp_path, 1).close()
    assert json.loads((tmp_path / "identity.json").read_text()) == {"format": FORMAT, "replica": 1}


def test_names_of_trees_are_never_used_twice_at_a_time(tmp_path):
    folder = DataFolder.open(tmp_path / "data", 1)
    for _ in range(3):
        folder.tree_path(folder.new_tree()).mkdir()
    assert folder.trees() == ["tree.1", "tree.2", "tree.3"]
    folder.remove_tree("tree.2")
    folder.remove_tree("tree.2")
    assert folder.new_tree() == "tree.4"
    with pytest.raises(ValueError, match="not the name of a tree"):
        folder.tree_path("../elsewhere")
    folder.close()
