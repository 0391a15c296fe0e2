"""Standing: how far a disk has come. It never falls while the disk lives.

Promises and current epochs only rise, and while the current epoch is the promised one the log only
grows. So a disk that stands lower than was once said of it is an older copy of that disk: it has
forgotten promises or entries that count, and its vote must not.
"""

import attrs

from coord import jute


@attrs.frozen(order=True)
class Standing:
    """A place in the life of a disk; compared field by field."""

    promised: jute.Long
    """The promised epoch."""
    current_epoch: jute.Long
    """The epoch whose history the log is; -1: not said."""
    last_index: jute.Long
    """Where the log ends, or ended before damage; -1: not said."""


NOTHING = Standing(0, -1, -1)
"""Below every disk."""
