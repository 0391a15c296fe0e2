"""Agreement on a log of opaque entries; no I/O, no clock, no chance.

Zab's phases with flexible quorums, for any number of replicas from one up. To read it: `checks`
says which quorum decides what; `log`, `journal` and `messages` are what there is; `follower`,
`candidate` and `leader` are the roles, each opening with its rules; `node` is the door, and
`effects` says what a driver owes it.

In short. A replica that hears no leader holds a pre-vote (`poll`); with an election quorum's yes it
stands in an epoch that only it may use, and asks for promises, its own first. Of those who promised
it takes the history with the greatest (current epoch, last index), ends it with an entry of its own
and sends it to all. Whoever has it whole stores it together with the epoch, in one transaction, and
acknowledges it. Once a replication quorum has, the leader is established: that history is
committed, and from then on each entry that a replication quorum has stored in this epoch.
"""
