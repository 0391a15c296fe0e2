"""Which request and which reply belong to each op code."""

from typing import Any

from coord.wire.internal import CreateSessionRequest, DeleteContainerRequest
from coord.wire.multi import MultiReply, MultiRequest
from coord.wire.numbers import OpCode
from coord.wire.requests import (
    AddWatchRequest,
    AuthRequest,
    CheckRequest,
    CheckWatchesRequest,
    CloseSessionRequest,
    Create2Reply,
    CreateReply,
    CreateRequest,
    CreateTtlRequest,
    DeleteRequest,
    ErrorReply,
    ExistsReply,
    ExistsRequest,
    GetAclReply,
    GetAclRequest,
    GetAllChildrenNumberReply,
    GetAllChildrenNumberRequest,
    GetChildren2Reply,
    GetChildren2Request,
    GetChildrenReply,
    GetChildrenRequest,
    GetDataReply,
    GetDataRequest,
    GetEphemeralsReply,
    GetEphemeralsRequest,
    PingRequest,
    ReconfigRequest,
    RemoveWatchesRequest,
    SaslReply,
    SaslRequest,
    SetAclReply,
    SetAclRequest,
    SetDataReply,
    SetDataRequest,
    SetWatches2Request,
    SetWatchesRequest,
    SyncReply,
    SyncRequest,
    WhoAmIReply,
    WhoAmIRequest,
)

__all__ = ["EXCHANGES", "INTERNAL", "OpCode"]

EXCHANGES: dict[OpCode, tuple[type[Any], type[Any] | None]] = {
    OpCode.CREATE: (CreateRequest, CreateReply),
    OpCode.DELETE: (DeleteRequest, None),
    OpCode.EXISTS: (ExistsRequest, ExistsReply),
    OpCode.GET_DATA: (GetDataRequest, GetDataReply),
    OpCode.SET_DATA: (SetDataRequest, SetDataReply),
    OpCode.GET_ACL: (GetAclRequest, GetAclReply),
    OpCode.SET_ACL: (SetAclRequest, SetAclReply),
    OpCode.GET_CHILDREN: (GetChildrenRequest, GetChildrenReply),
    OpCode.SYNC: (SyncRequest, SyncReply),
    OpCode.PING: (PingRequest, None),
    OpCode.GET_CHILDREN2: (GetChildren2Request, GetChildren2Reply),
    OpCode.CHECK: (CheckRequest, None),
    OpCode.MULTI: (MultiRequest, MultiReply),
    OpCode.CREATE2: (CreateRequest, Create2Reply),
    OpCode.RECONFIG: (ReconfigRequest, GetDataReply),
    OpCode.CHECK_WATCHES: (CheckWatchesRequest, None),
    OpCode.REMOVE_WATCHES: (RemoveWatchesRequest, None),
    OpCode.CREATE_CONTAINER: (CreateRequest, Create2Reply),
    OpCode.DELETE_CONTAINER: (DeleteContainerRequest, None),
    OpCode.CREATE_TTL: (CreateTtlRequest, Create2Reply),
    OpCode.MULTI_READ: (MultiRequest, MultiReply),
    OpCode.AUTH: (AuthRequest, None),
    OpCode.SET_WATCHES: (SetWatchesRequest, None),
    OpCode.SASL: (SaslRequest, SaslReply),
    OpCode.GET_EPHEMERALS: (GetEphemeralsRequest, GetEphemeralsReply),
    OpCode.GET_ALL_CHILDREN_NUMBER: (GetAllChildrenNumberRequest, GetAllChildrenNumberReply),
    OpCode.SET_WATCHES2: (SetWatches2Request, None),
    OpCode.ADD_WATCH: (AddWatchRequest, ErrorReply),
    OpCode.WHO_AM_I: (WhoAmIRequest, WhoAmIReply),
    OpCode.CREATE_SESSION: (CreateSessionRequest, None),
    OpCode.CLOSE_SESSION: (CloseSessionRequest, None),
}
"""Request and reply of every op code that asks for something; None where the reply has no body."""

INTERNAL = frozenset(
    {OpCode.NOTIFICATION, OpCode.ERROR, OpCode.CREATE_SESSION, OpCode.DELETE_CONTAINER}
)
"""What no client may ask for: answered as an unknown op code."""
