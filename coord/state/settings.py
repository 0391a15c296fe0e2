"""The replicated settings: whatever changes a result, equal on every replica."""

from typing import Final

import attrs

from coord.jute import Bool, Bytes, Int, Text

FORMAT_LEVEL: Final = 1
"""The level of what this code applies and stores."""


@attrs.frozen
class Settings:
    """Made once by the founder of an ensemble, in entry 1; chance comes in as the two keys."""

    format_level: Int
    """Which rules apply to the log: `FORMAT_LEVEL` when it was founded."""
    password_key: Bytes
    """Makes the passwords of sessions; 32 random bytes, a secret of the ensemble."""
    path_key: Bytes
    """Keys the hash of paths in the store; 16 random bytes."""
    super_digest: Text
    """"user:hash" of the super user, as `digest` identities are; null when there is none."""
    ttl_nodes: Bool
    """Whether createTTL is allowed; -6 (Unimplemented) otherwise, as ZooKeeper by default."""
