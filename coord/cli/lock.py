"""`coord lock PATH -- COMMAND`: run a command while holding a lock."""

import click

from coord.cli.hold import Holding, Wanted, held_options


@click.command()
@held_options("lock", "COORD_LOCK")
def lock(wanted: Wanted) -> None:
    """Run COMMAND while holding the lock PATH.

    COMMAND finds COORD_LOCK_TOKEN, the fencing token, COORD_LOCK_PATH, COORD_LOCK_ZNODE, the znode
    that a transaction should check, and COORD_HOSTS in its environment. It runs in a process group
    of its own, which gets the signals HUP, INT, QUIT, TERM, USR1 and USR2 sent to this process.
    What it leaves running there is ended before the lock is released.

    When the lock is lost, or cannot be proved any longer, the group gets SIGTERM, and SIGKILL
    before the servers can give the lock to another: also if this process is stopped or killed.

    Exit status: that of COMMAND, 128 + n when signal n ended it; 69 when the lock was lost or no
    server answers, 75 when another holds it (with --no-wait), 1 when the servers refuse, 2 for
    wrong usage, 126 or 127 when COMMAND cannot be started.
    """
    Holding(wanted).main()
