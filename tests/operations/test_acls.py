"""Permissions, identities and ACLs as clients meet them."""

import pytest

from tests.operations.shell import Shell

BOB = "digest:bob:X1SKGw3XQQSIPMZRf5lW7e07VPY="
ANN = "digest:ann:NBxn6wU5X1dBYfxVeNvNbrkF8EE="

BY_BOB = "auth digest bob:bob; "

PERMISSIONS = [
    ("reading takes READ", "create /a x world:anyone:30; get /a", "-102"),
    ("READ is enough to read", "create /a x world:anyone:1; get /a", "x"),
    ("writing takes WRITE", "create /a x world:anyone:29; set /a y", "-102"),
    ("WRITE is enough to write", "create /a x world:anyone:2; set /a y", "1"),
    ("creating takes CREATE on the parent", "create /a x world:anyone:27; create /a/b", "-102"),
    ("CREATE is enough to create", "create /a x world:anyone:4; create /a/b", "/a/b"),
    (
        "deleting takes DELETE on the parent",
        "create /a; create /a/b; setacl /a world:anyone:23; delete /a/b",
        "-102",
    ),
    ("the node's own ACL does not matter", "create /a x ip:9.9.9.9:31; delete /a", ""),
    (
        "no right comes before a missing node",
        "create /a x world:anyone:23; delete /a/b",
        "-102",
    ),
    ("setACL takes ADMIN", "create /a x world:anyone:15; setacl /a world:anyone:31", "-102"),
    ("ADMIN is enough", "create /a x world:anyone:16; setacl /a world:anyone:1", "1"),
    ("getACL takes READ or ADMIN", "create /a x world:anyone:14; acl /a", "-102"),
    ("ADMIN reads the ACL", "create /a x world:anyone:16; acl /a", "world:anyone:16"),
    ("READ reads the ACL", "create /a x world:anyone:1; acl /a", "world:anyone:1"),
    ("no right comes before a taken name", "create /a x world:anyone:1; create /a/b", "-102"),
    ("creating a taken name needs the right", "create:1 /a x world:anyone:1; create /a/b", "-102"),
    ("unknown bits are kept", "create /a x world:anyone:1023; acl /a", "world:anyone:1023"),
]

DIGEST = [
    ("who shows the password may", f"create /a x {BOB}:31; {BY_BOB} get /a", "x"),
    ("who does not may not", f"create /a x {BOB}:31; get /a", "-102"),
    ("another connection may not", f"create /a x {BOB}:31; {BY_BOB} 2: get /a", "-102"),
    ("auth stands for who asks", f"{BY_BOB} create /a x auth:null:31; acl /a", f"{BOB}:31"),
    (
        "auth stands for all that one is",
        f"{BY_BOB} auth digest ann:ann; create /a x auth::21; acl /a",
        f"{BOB}:21,{ANN}:21",
    ),
    ("auth needs somebody", "create /a x auth::31", "-114"),
    ("an address is nobody", "create /a x auth::31", "-114"),
    (
        "the hash is masked from who is no admin",
        f"create /a x {BOB}:31,world:anyone:1; acl /a",
        "digest:bob:x:31,world:anyone:1",
    ),
    ("an admin sees it", f"{BY_BOB} create /a x {BOB}:31; acl /a", f"{BOB}:31"),
    (
        "the super user may all",
        f"create /a x {BOB}:31; auth digest super:test; get /a",
        "x",
    ),
    (
        "the super user needs the right password",
        "auth digest super:no; set /zookeeper/config y",
        "-102",
    ),
    (
        "the super user changes the configuration",
        "auth digest super:test; set /zookeeper/config y",
        "0",
    ),
    ("who tells what one is", f"{BY_BOB} whoami", "ip:127.0.0.1 digest:bob"),
    ("a credential without a colon counts", "auth digest joe; whoami", "ip:127.0.0.1 digest:joe"),
    ("the same again is once", f"{BY_BOB} {BY_BOB} whoami", "ip:127.0.0.1 digest:bob"),
    (
        "the super user has no name",
        "auth digest super:test; whoami",
        "ip:127.0.0.1 super: digest:super",
    ),
    ("an unknown scheme fails", "auth kerberos x", "-115"),
    ("world is no way to show who one is", "auth world anyone", "-115"),
    ("ip succeeds and adds nothing", "auth ip x; whoami", "ip:127.0.0.1"),
]

INVALID = [
    ("an empty ACL", 'create /a x ""', "-114"),
    ("world is anyone", "create /a x world:somebody:31", "-114"),
    ("an unknown scheme", "create /a x kerberos:me:31", "-114"),
    ("a digest without a hash", "create /a x digest:bob:31", "-114"),
    ("a digest in three parts", "create /a x digest:bob:hash:more:31", "-114"),
    ("a digest with an empty part behind", "create /a x digest:bob:hash::31; exists /a", "-102"),
    ("an address that is none", "create /a x ip:300.0.0.1:31", "-114"),
    ("a mask that is none", "create /a x ip:1.2.3.4/33:31", "-114"),
    ("a null id", "create /a x world:null:31", "-5"),
    ("a null id of an unknown scheme", "create /a x sasl:null:31", "-114"),
    ("a bad ACL in setACL", "create /a; setacl /a world:me:31", "-114"),
    ("a bad ACL comes before a missing node", 'setacl /a ""', "-114"),
    ("a bad path comes before a bad ACL", 'setacl a/ ""', "-8"),
    ("setACL needs a node", "setacl /a world:anyone:1", "-101"),
    ("setACL checks the ACL's version", "create /a; setacl /a world:anyone:31 1", "-103"),
    ("and not that of the data", "create /a; set /a y; setacl /a world:anyone:31 0", "1"),
    (
        "doubles are one",
        "create /a x world:anyone:31,world:anyone:31; acl /a",
        "world:anyone:31",
    ),
]

ADDRESSES = [
    ("an address", "create /a x ip:127.0.0.1:1; get /a", "x"),
    ("another address", "create /a x ip:127.0.0.2:1; get /a", "-102"),
    ("a network", "create /a x ip:127.1.2.3/8:1; get /a", "x"),
    ("another network", "create /a x ip:126.0.0.0/8:1; get /a", "-102"),
    ("everybody", "create /a x ip:0.0.0.0/0:1; get /a", "x"),
    ("another family", "create /a x ip:::1:1; get /a", "-102"),
]


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        pytest.param(script, answer, id=title)
        for title, script, answer in [*PERMISSIONS, *DIGEST, *INVALID, *ADDRESSES]
    ],
)
def test_a_script_answers(script, answer):
    assert Shell().run(script) == answer


def test_an_acl_has_a_greatest_length():
    shell = Shell()
    many = ",".join(f"ip:10.0.{i // 250}.{i % 250}:31" for i in range(501))
    assert shell.run(f"create /a x {many}") == "-114"
    assert shell.run(f"create /b x digest:{'u' * 17000}:h:31") == "-114"


def test_auth_cannot_stand_for_more_than_an_acl_may_hold():
    shell = Shell()
    for i in range(20):
        shell.one(f"auth digest user{i}:x")
    script = "create /a x " + ",".join(f"auth::{i}" for i in range(1, 31))
    assert shell.run(script) == "-114"


def test_a_connection_gathers_only_so_many_identities():
    shell = Shell()
    answers = [shell.one(f"auth digest user{i}:x") for i in range(110)]
    assert answers[0] == ""
    assert answers[-1] == "-115"
    assert shell.one(f"2: auth digest {'u' * 9000}:x") == "-115"
