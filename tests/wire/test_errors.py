"""The errors of ZooKeeper, by number."""

import pytest

from coord.wire.errors import ERRORS, BadVersion, NoNode, ZooKeeperError, error_for

CODES = {
    -1, -2, -3, -4, -5, -6, -7, -8, -12, -13, -14, -100, -101, -102, -103, -108, -110, -111, -112,
    -113, -114, -115, -118, -119, -120, -121, -122, -123, -124, -125, -127,
}  # fmt: skip


def test_there_is_one_class_for_each_code_and_none_that_zookeeper_does_not_know() -> None:
    assert set(ERRORS) == CODES
    assert len(ERRORS) == len(ZooKeeperError.__subclasses__())


def test_a_code_becomes_an_error_of_its_class() -> None:
    error = error_for(-101, "/a")
    assert isinstance(error, NoNode)
    assert error.args == ("/a",)
    assert error.code == NoNode.code == -101
    assert not isinstance(error, BadVersion)


@pytest.mark.parametrize("code", [0, 1, -126, -999])
def test_a_code_that_nobody_knows_is_still_an_error_with_that_code(code: int) -> None:
    error = error_for(code)
    assert type(error) is ZooKeeperError
    assert error.code == code
    assert str(code) in str(error)
