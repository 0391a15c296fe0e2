"""Reading znodes: exists, getData, the children, the counts, the ephemerals.

Every function here takes the view, who calls, the permission its row demands and the whole frame
(xid, op code, body from offset 8); it returns the body of the reply or raises its error.

What a read answers lies in the record as it goes out, so a read is a few slices. Reads look paths
up as they come: what is no legal path is just not there, but for the empty one, which is the root.
"""

from collections.abc import Callable
from struct import Struct, error as StructError
from typing import Final

from coord.operations import spans
from coord.operations.context import Caller, View, require
from coord.state import record as znode
from coord.state.paths import ROOT
from coord.state.permissions import OPEN_ACL
from coord.state.record import ACL_AT, ACL_LENGTH, ACL_LENGTH_AT, STAT_SIZE
from coord.state.watches import Watch
from coord.wire.errors import BadArguments, MarshallingError, NoNode, ZooKeeperError
from coord.wire.numbers import OpCode
