"""Every command of the shell, under zkCli.sh's name and with its options; `watch` is our own."""

from typing import Final

from coord.cli.shell import acls, ensemble, nodes, quotas, sessions
from coord.cli.shell.row import Row

_RECONFIG = (
    "reconfig [-s] [-v VERSION] [-file PATH | -members SERVERS | [-add SERVERS] [-remove IDS]]"
)

COMMANDS: Final[dict[str, Row]] = {
    "addWatch": Row(
        "addWatch [-m PERSISTENT|PERSISTENT_RECURSIVE] PATH",
        "write every event of PATH, and of all below it unless -m PERSISTENT",
        sessions.add_watch,
        "m:",
    ),
    "addauth": Row(
        "addauth SCHEME CREDENTIAL",
        "add an identity: digest USER:PASSWORD",
        acls.add_auth,
        "",
        (1, 2),
    ),
    "close": Row("close", "end the session", sessions.close, "", (0, 0)),
    "config": Row(
        "config [-c] [-w] [-s]",
        "show the members, with -c where clients connect",
        ensemble.config,
        "c w s",
        (0, 0),
    ),
    "connect": Row(
        "connect [HOSTS]", "begin a new session, with HOSTS", sessions.connect, "", (0, 1)
    ),
    "create": Row(
        "create [-s] [-e] [-c] [-t TTL] [-p] PATH [DATA] [ACL]",
        "create a znode: sequential, ephemeral, container, TTL in ms, with its parents",
        nodes.create,
        "s e c t: p",
        (1, 3),
    ),
    "delete": Row(
        "delete [-v VERSION] [-r] PATH [VERSION]",
        "delete a znode, with -r all below it too",
        nodes.delete,
        "v: r",
        (1, 2),
    ),
    "deleteall": Row(
        "deleteall PATH [-b BATCH]",
        "delete a znode and all below it, BATCH at once",
        nodes.delete_all,
        "b:",
    ),
    "delquota": Row(
        "delquota [-n|-b|-N|-B] PATH", "take limits away", quotas.delete_quota, "n b N B"
    ),
    "exit": Row("exit", "leave the shell", sessions.end, "", (0, 0)),
    "get": Row("get [-s] [-w] PATH", "show data, with -s the Stat", nodes.get, "s w"),
    "getAcl": Row("getAcl [-s] PATH", "show the ACL", acls.get_acl, "s"),
    "getAllChildrenNumber": Row(
        "getAllChildrenNumber PATH", "count all below PATH", nodes.get_all_children_number
    ),
    "getEphemerals": Row(
        "getEphemerals [PATH]",
        "list the ephemeral znodes of this session",
        nodes.get_ephemerals,
        "",
        (0, 1),
    ),
    "help": Row(
        "help [COMMAND]", "list the commands, or explain one", sessions.show_help, "", (0, 1)
    ),
    "history": Row("history", "list the lines of this shell", sessions.history, "", (0, 0)),
    "listquota": Row("listquota PATH", "show limits and what is used", quotas.list_quota),
    "ls": Row(
        "ls [-s] [-w] [-R] [PATH]",
        "list children, with -R all below",
        nodes.ls,
        "s w R",
        (0, 1),
    ),
    "printwatches": Row(
        "printwatches [on|off]", "whether events are written", sessions.print_watches, "", (0, 1)
    ),
    "quit": Row("quit", "leave the shell", sessions.end, "", (0, 0)),
    "reconfig": Row(
        _RECONFIG,
        "change the members",
        ensemble.reconfig,
        "s v: file: members: add: remove:",
        (0, 0),
    ),
    "redo": Row("redo NUMBER", "carry out a line of the history again", sessions.redo),
    "removewatches": Row(
        "removewatches PATH [-c|-d|-a] [-l]",
        "remove watches: of children, of data, all",
        sessions.remove_watches,
        "c d a l",
    ),
    "set": Row(
        "set [-s] [-v VERSION] PATH DATA [VERSION]",
        "replace data, if it has this VERSION",
        nodes.set_data,
        "s v:",
        (2, 3),
    ),
    "setAcl": Row(
        "setAcl [-s] [-v VERSION] [-R] PATH ACL",
        "replace the ACL: scheme:id:cdrwa,…",
        acls.set_acl,
        "s v: R",
        (2, 2),
    ),
    "setquota": Row(
        "setquota -n|-b|-N|-B LIMIT PATH",
        "limit znodes or bytes; N and B refuse what goes over",
        quotas.set_quota,
        "n: b: N: B:",
    ),
    "stat": Row("stat [-w] PATH", "show the Stat", nodes.stat, "w"),
    "sync": Row("sync [PATH]", "wait for all that was written before", nodes.sync, "", (0, 1)),
    "version": Row("version", "show the version of this shell", ensemble.show_version, "", (0, 0)),
    "watch": Row("watch PATH", "show data at once and after each change", nodes.watch),
    "whoami": Row("whoami", "list the identities of the session", acls.who_am_i, "", (0, 0)),
}
"""Command -> how it is written, what it does."""
