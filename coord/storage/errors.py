"""What can go wrong with the disk, one class per situation; none of them is ever retried."""


class StorageError(Exception):
    """Something is wrong with the data folder; the replica cannot go on as if nothing happened."""


class DataFolderError(StorageError):
    """The data folder cannot be used by this replica; the text is one sentence for the operator."""


class StorageFailed(StorageError):  # noqa: N818 - says what happened
    """A write, a commit or an fsync failed; what is on the disk is known only after a restart.

    After a failed fsync the kernel may hold the lost pages for clean, so a second fsync that
    succeeds proves nothing: the replica stops.
    """


class DiskFull(StorageFailed):
    """There was no room for a write: the disk, a quota, a file size limit or the map is full."""


class Damaged(StorageError):  # noqa: N818 - says what happened
    """A stored record is not what was written."""


class DamagedEntry(Damaged):
    """An entry of the log is damaged or missing; peers can repair it, by its chain."""

    def __init__(self, index: int) -> None:
        super().__init__(f"entry {index} of the log is damaged")
        self.index = index


class DamagedLog(Damaged):
    """The log's own state is damaged: the folder counts as a wiped disk."""


class DamagedTree(Damaged):
    """A record or the structure of the tree is damaged: a snapshot must replace the tree."""


class SnapshotError(StorageError):
    """A chunk is damaged, out of order or not of this format; the transfer begins again."""


class TransferExpired(StorageError):  # noqa: N818 - says what happened
    """A transfer held its view of the tree for too long; it begins again at a newer flush."""
