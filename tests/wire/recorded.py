"""What a ZooKeeper 3.8.0 answered: the bodies of requests it took and of the replies it gave."""

from typing import Any

import attrs

from coord.wire import requests
from coord.wire.multi import MultiOperation, MultiReply, MultiRequest, MultiResult
from coord.wire.opcodes import OpCode
from coord.wire.records import Acl, ClientInfo, Id, Stat

WORLD = (Acl(31, Id("world", "anyone")),)

fromhex = bytes.fromhex


@attrs.frozen
class Exchange:
    """One request and its reply."""

    opcode: OpCode
    request: Any
    request_body: bytes
    reply: Any = None
    reply_body: bytes = b""
    error: int = 0


RECORDED = [
    Exchange(
        OpCode.CREATE,
        requests.CreateRequest("/w", b"data", WORLD, 0),
        fromhex(
            "000000022f770000000464617461000000010000001f00000005776f726c6400000006616e796f6e6500"
            "000000"
        ),
        requests.CreateReply("/w"),
        fromhex("000000022f77"),
    ),
    Exchange(
        OpCode.CREATE2,
        requests.CreateRequest("/w/x", None, WORLD, 1),
        fromhex(
            "000000042f772f78ffffffff000000010000001f00000005776f726c6400000006616e796f6e6500000001"
        ),
        requests.Create2Reply(
            "/w/x", Stat(3, 3, 1795249046393, 1795249046393, 0, 0, 0, 72057755758034944, 0, 0, 3)
        ),
        fromhex(
            "000000042f772f7800000000000000030000000000000003000001a1fd2e8379000001a1fd2e83790000"
            "0000000000000000000001000025a745000000000000000000000000000000000003"
        ),
    ),
    Exchange(
        OpCode.CREATE_CONTAINER,
        requests.CreateRequest("/w/c", b"", WORLD, 4),
        fromhex(
            "000000042f772f6300000000000000010000001f00000005776f726c6400000006616e796f6e6500000004"
        ),
        requests.Create2Reply(
            "/w/c", Stat(4, 4, 1795249046406, 1795249046406, 0, 0, 0, 0, 0, 0, 4)
        ),
        fromhex(
            "000000042f772f6300000000000000040000000000000004000001a1fd2e8386000001a1fd2e83860000"
            "00000000000000000000000000000000000000000000000000000000000000000004"
        ),
    ),
    Exchange(
        OpCode.CREATE_TTL,
        requests.CreateTtlRequest("/w/t", b"", WORLD, 5, 60000),
        fromhex(
            "000000042f772f7400000000000000010000001f00000005776f726c6400000006616e796f6e65000000"
            "05000000000000ea60"
        ),
        requests.Create2Reply(
            "/w/t", Stat(5, 5, 1795249046416, 1795249046416, 0, 0, 0, 0, 0, 0, 5)
        ),
        fromhex(
            "000000042f772f7400000000000000050000000000000005000001a1fd2e8390000001a1fd2e83900000"
            "00000000000000000000000000000000000000000000000000000000000000000005"
        ),
    ),
    Exchange(
        OpCode.EXISTS,
        requests.ExistsRequest("/w/x", True),
        fromhex("000000042f772f7801"),
        requests.ExistsReply(
            Stat(3, 3, 1795249046393, 1795249046393, 0, 0, 0, 72057755758034944, 0, 0, 3)
        ),
        fromhex(
            "00000000000000030000000000000003000001a1fd2e8379000001a1fd2e837900000000000000000000"
            "000001000025a745000000000000000000000000000000000003"
        ),
    ),
    Exchange(
        OpCode.EXISTS,
        requests.ExistsRequest("/none", False),
        fromhex("000000052f6e6f6e6500"),
        error=-101,
    ),
    Exchange(
        OpCode.GET_DATA,
        requests.GetDataRequest("/w", True),
        fromhex("000000022f7701"),
        requests.GetDataReply(
            b"data", Stat(2, 2, 1795249046372, 1795249046372, 0, 3, 0, 0, 4, 3, 5)
        ),
        fromhex(
            "000000046461746100000000000000020000000000000002000001a1fd2e8364000001a1fd2e83640000"
            "00000000000300000000000000000000000000000004000000030000000000000005"
        ),
    ),
    Exchange(
        OpCode.GET_DATA,
        requests.GetDataRequest("/w/x", False),
        fromhex("000000042f772f7800"),
        requests.GetDataReply(
            None, Stat(3, 3, 1795249046393, 1795249046393, 0, 0, 0, 72057755758034944, 0, 0, 3)
        ),
        fromhex(
            "ffffffff00000000000000030000000000000003000001a1fd2e8379000001a1fd2e8379000000000000"
            "00000000000001000025a745000000000000000000000000000000000003"
        ),
    ),
    Exchange(
        OpCode.SET_DATA,
        requests.SetDataRequest("/w", b"new", -1),
        fromhex("000000022f77000000036e6577ffffffff"),
        requests.SetDataReply(Stat(2, 6, 1795249046372, 1795249046454, 1, 3, 0, 0, 3, 3, 5)),
        fromhex(
            "00000000000000020000000000000006000001a1fd2e8364000001a1fd2e83b600000001000000030000"
            "0000000000000000000000000003000000030000000000000005"
        ),
    ),
    Exchange(
        OpCode.GET_ACL,
        requests.GetAclRequest("/w"),
        fromhex("000000022f77"),
        requests.GetAclReply(WORLD, Stat(2, 6, 1795249046372, 1795249046454, 1, 3, 0, 0, 3, 3, 5)),
        fromhex(
            "000000010000001f00000005776f726c6400000006616e796f6e65000000000000000200000000000000"
            "06000001a1fd2e8364000001a1fd2e83b600000001000000030000000000000000000000000000000300"
            "0000030000000000000005"
        ),
    ),
    Exchange(
        OpCode.SET_ACL,
        requests.SetAclRequest("/w", WORLD, -1),
        fromhex("000000022f77000000010000001f00000005776f726c6400000006616e796f6e65ffffffff"),
        requests.SetAclReply(Stat(2, 6, 1795249046372, 1795249046454, 1, 3, 1, 0, 3, 3, 5)),
        fromhex(
            "00000000000000020000000000000006000001a1fd2e8364000001a1fd2e83b600000001000000030000"
            "0001000000000000000000000003000000030000000000000005"
        ),
    ),
    Exchange(
        OpCode.GET_CHILDREN,
        requests.GetChildrenRequest("/w", False),
        fromhex("000000022f7700"),
        requests.GetChildrenReply(("x", "c", "t")),
        fromhex("00000003000000017800000001630000000174"),
    ),
    Exchange(
        OpCode.GET_CHILDREN2,
        requests.GetChildren2Request("/w", False),
        fromhex("000000022f7700"),
        requests.GetChildren2Reply(
            ("x", "c", "t"), Stat(2, 6, 1795249046372, 1795249046454, 1, 3, 1, 0, 3, 3, 5)
        ),
        fromhex(
            "0000000300000001780000000163000000017400000000000000020000000000000006000001a1fd2e83"
            "64000001a1fd2e83b6000000010000000300000001000000000000000000000003000000030000000000"
            "000005"
        ),
    ),
    Exchange(
        OpCode.SYNC,
        requests.SyncRequest(None),
        fromhex("ffffffff"),
        requests.SyncReply(None),
        fromhex("ffffffff"),
    ),
    Exchange(
        OpCode.SYNC,
        requests.SyncRequest("/w"),
        fromhex("000000022f77"),
        requests.SyncReply("/w"),
        fromhex("000000022f77"),
    ),
    Exchange(OpCode.PING, requests.PingRequest(), b""),
    Exchange(
        OpCode.AUTH,
        requests.AuthRequest(0, "digest", b"a:b"),
        fromhex("000000000000000664696765737400000003613a62"),
    ),
    Exchange(
        OpCode.WHO_AM_I,
        requests.WhoAmIRequest(),
        b"",
        requests.WhoAmIReply((ClientInfo("digest", "a"), ClientInfo("ip", "127.0.0.1"))),
        fromhex("00000002000000066469676573740000000161000000026970000000093132372e302e302e31"),
    ),
    Exchange(
        OpCode.GET_EPHEMERALS,
        requests.GetEphemeralsRequest(None),
        fromhex("ffffffff"),
        requests.GetEphemeralsReply(("/w/x",)),
        fromhex("00000001000000042f772f78"),
    ),
    Exchange(
        OpCode.GET_ALL_CHILDREN_NUMBER,
        requests.GetAllChildrenNumberRequest("/w"),
        fromhex("000000022f77"),
        requests.GetAllChildrenNumberReply(3),
        fromhex("00000003"),
    ),
    Exchange(
        OpCode.ADD_WATCH,
        requests.AddWatchRequest("/w", 1),
        fromhex("000000022f7700000001"),
        requests.ErrorReply(0),
        fromhex("00000000"),
    ),
    Exchange(
        OpCode.CHECK_WATCHES, requests.CheckWatchesRequest("/w", 3), fromhex("000000022f7700000003")
    ),
    Exchange(
        OpCode.REMOVE_WATCHES,
        requests.RemoveWatchesRequest("/w", 3),
        fromhex("000000022f7700000003"),
    ),
    Exchange(
        OpCode.SET_WATCHES,
        requests.SetWatchesRequest(1, ("/w",), ("/none",), ("/w",)),
        fromhex(
            "000000000000000100000001000000022f7700000001000000052f6e6f6e6500000001000000022f77"
        ),
    ),
    Exchange(
        OpCode.SET_WATCHES2,
        requests.SetWatches2Request(1000, (), (), (), ("/p",), ("/r",)),
        fromhex("00000000000003e800000000000000000000000000000001000000022f7000000001000000022f72"),
    ),
    Exchange(
        OpCode.SASL,
        requests.SaslRequest(b"tok"),
        fromhex("00000003746f6b"),
        requests.SaslReply(None),
        fromhex("ffffffff"),
    ),
    Exchange(
        OpCode.RECONFIG,
        requests.ReconfigRequest(None, None, None, -1),
        fromhex("ffffffffffffffffffffffffffffffffffffffff"),
        error=-123,
    ),
    Exchange(
        OpCode.MULTI,
        MultiRequest(
            (
                MultiOperation(OpCode.CREATE, requests.CreateRequest("/m", b"1", WORLD, 0)),
                MultiOperation(OpCode.SET_DATA, requests.SetDataRequest("/m", b"2", 0)),
                MultiOperation(OpCode.CHECK, requests.CheckRequest("/m", 1)),
                MultiOperation(OpCode.DELETE, requests.DeleteRequest("/m", 1)),
            )
        ),
        fromhex(
            "0000000100ffffffff000000022f6d0000000131000000010000001f00000005776f726c640000000661"
            "6e796f6e65000000000000000500ffffffff000000022f6d0000000132000000000000000d00ffffffff"
            "000000022f6d000000010000000200ffffffff000000022f6d00000001ffffffff01ffffffff"
        ),
        MultiReply(
            (
                MultiResult(OpCode.CREATE, requests.CreateReply("/m")),
                MultiResult(
                    OpCode.SET_DATA,
                    requests.SetDataReply(
                        Stat(9, 9, 1795249046551, 1795249046551, 1, 0, 0, 0, 1, 0, 9)
                    ),
                ),
                MultiResult(OpCode.CHECK, None),
                MultiResult(OpCode.DELETE, None),
            )
        ),
        fromhex(
            "000000010000000000000000022f6d000000050000000000000000000000000900000000000000090000"
            "01a1fd2e8417000001a1fd2e841700000001000000000000000000000000000000000000000100000000"
            "00000000000000090000000d0000000000000000020000000000ffffffff01ffffffff"
        ),
    ),
    Exchange(
        OpCode.MULTI,
        MultiRequest(
            (
                MultiOperation(OpCode.CREATE, requests.CreateRequest("/m", b"1", WORLD, 0)),
                MultiOperation(OpCode.CHECK, requests.CheckRequest("/none", 1)),
                MultiOperation(OpCode.DELETE, requests.DeleteRequest("/m", 1)),
            )
        ),
        fromhex(
            "0000000100ffffffff000000022f6d0000000131000000010000001f00000005776f726c640000000661"
            "6e796f6e65000000000000000d00ffffffff000000052f6e6f6e65000000010000000200ffffffff0000"
            "00022f6d00000001ffffffff01ffffffff"
        ),
        MultiReply(
            (
                MultiResult(OpCode.ERROR, requests.ErrorReply(0)),
                MultiResult(OpCode.ERROR, requests.ErrorReply(-101)),
                MultiResult(OpCode.ERROR, requests.ErrorReply(-2)),
            )
        ),
        fromhex(
            "ffffffff000000000000000000ffffffff00ffffff9bffffff9bffffffff00fffffffefffffffeffffff"
            "ff01ffffffff"
        ),
    ),
    Exchange(
        OpCode.MULTI,
        MultiRequest(()),
        fromhex("ffffffff01ffffffff"),
        MultiReply(()),
        fromhex("ffffffff01ffffffff"),
    ),
    Exchange(
        OpCode.MULTI_READ,
        MultiRequest(
            (
                MultiOperation(OpCode.GET_DATA, requests.GetDataRequest("/w", False)),
                MultiOperation(OpCode.GET_CHILDREN, requests.GetChildrenRequest("/w", False)),
                MultiOperation(OpCode.GET_DATA, requests.GetDataRequest("/none", False)),
            )
        ),
        fromhex(
            "0000000400ffffffff000000022f77000000000800ffffffff000000022f77000000000400ffffffff00"
            "0000052f6e6f6e6500ffffffff01ffffffff"
        ),
        MultiReply(
            (
                MultiResult(
                    OpCode.GET_DATA,
                    requests.GetDataReply(
                        b"new", Stat(2, 6, 1795249046372, 1795249046454, 1, 3, 1, 0, 3, 3, 5)
                    ),
                ),
                MultiResult(OpCode.GET_CHILDREN, requests.GetChildrenReply(("x", "c", "t"))),
                MultiResult(OpCode.ERROR, requests.ErrorReply(-101)),
            )
        ),
        fromhex(
            "000000040000000000000000036e657700000000000000020000000000000006000001a1fd2e83640000"
            "01a1fd2e83b6000000010000000300000001000000000000000000000003000000030000000000000005"
            "00000008000000000000000003000000017800000001630000000174ffffffff00ffffff9bffffff9bff"
            "ffffff01ffffffff"
        ),
    ),
    Exchange(
        OpCode.DELETE, requests.DeleteRequest("/w", -1), fromhex("000000022f77ffffffff"), error=-111
    ),
    Exchange(OpCode.DELETE, requests.DeleteRequest("/w/c", 0), fromhex("000000042f772f6300000000")),
    Exchange(OpCode.CLOSE_SESSION, requests.CloseSessionRequest(), b""),
]
