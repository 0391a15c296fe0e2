"""Every number with a meaning of its own on the wire."""

import enum


class OpCode(enum.IntEnum):
    """What a request asks for. Source: org/apache/zookeeper/ZooDefs.java."""

    NOTIFICATION = 0
    CREATE = 1
    DELETE = 2
    EXISTS = 3
    GET_DATA = 4
    SET_DATA = 5
    GET_ACL = 6
    SET_ACL = 7
    GET_CHILDREN = 8
    SYNC = 9
    PING = 11
    GET_CHILDREN2 = 12
    CHECK = 13
    MULTI = 14
    CREATE2 = 15
    RECONFIG = 16
    CHECK_WATCHES = 17
    REMOVE_WATCHES = 18
    CREATE_CONTAINER = 19
    DELETE_CONTAINER = 20
    CREATE_TTL = 21
    MULTI_READ = 22
    AUTH = 100
    SET_WATCHES = 101
    SASL = 102
    GET_EPHEMERALS = 103
    GET_ALL_CHILDREN_NUMBER = 104
    SET_WATCHES2 = 105
    ADD_WATCH = 106
    WHO_AM_I = 107
    ERROR = -1
    CREATE_SESSION = -10
    CLOSE_SESSION = -11


class Xid(enum.IntEnum):
    """The xids that are no number of a request. Source: ClientCnxn.java."""

    NOTIFICATION = -1
    PING = -2
    AUTH = -4
    SET_WATCHES = -8


class CreateFlag(enum.IntEnum):
    """The modes of a new znode. Source: org/apache/zookeeper/CreateMode.java."""

    PERSISTENT = 0
    EPHEMERAL = 1
    PERSISTENT_SEQUENTIAL = 2
    EPHEMERAL_SEQUENTIAL = 3
    CONTAINER = 4
    PERSISTENT_WITH_TTL = 5
    PERSISTENT_SEQUENTIAL_WITH_TTL = 6


class Permission(enum.IntFlag):
    """What an ACL grants. Source: ZooDefs.java."""

    READ = 1
    WRITE = 2
    CREATE = 4
    DELETE = 8
    ADMIN = 16
    ALL = 31


class EventType(enum.IntEnum):
    """What a notification reports. Source: org/apache/zookeeper/Watcher.java."""

    NONE = -1
    NODE_CREATED = 1
    NODE_DELETED = 2
    NODE_DATA_CHANGED = 3
    NODE_CHILDREN_CHANGED = 4


class KeeperState(enum.IntEnum):
    """The state of a session; a server sends SYNC_CONNECTED only. Source: Watcher.java."""

    DISCONNECTED = 0
    SYNC_CONNECTED = 3
    AUTH_FAILED = 4
    CONNECTED_READ_ONLY = 5
    SASL_AUTHENTICATED = 6
    CLOSED = 7
    EXPIRED = -112


class WatcherType(enum.IntEnum):
    """Which watches to check or remove. Source: Watcher.java."""

    CHILDREN = 1
    DATA = 2
    ANY = 3
    PERSISTENT = 4
    PERSISTENT_RECURSIVE = 5


class AddWatchMode(enum.IntEnum):
    """Which watch addWatch sets. Source: org/apache/zookeeper/AddWatchMode.java."""

    PERSISTENT = 0
    PERSISTENT_RECURSIVE = 1
