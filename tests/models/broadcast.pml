/* Flexible broadcast: elections, synchronisation, broadcast, read barriers, a change of quorums.

What is modelled. N replicas, E epochs, logs of at most K entries, at most one change of quorums in
a history, any number of crashes. Every pair of replica and epoch is a process without a state of
its own: the rows of `Pair` are all that can happen. A row is one step: what it makes durable, it
has made durable before anybody hears of it.

Quorums. A set of replicas is a mask, and a system a table with one bit for each mask: ELECTION_OLD,
REPLICATION_OLD, BARRIER_OLD, and the same for NEW where CHANGE is defined. A change of members is a
change of quorums too: the masks are over all who are a member before or after it.

Messages. They may be late, lost, doubled and out of order.
  - What a candidate or leader asked for stays asked for, also when it has crashed: `stage`, `hist`.
  - An answer is counted when it is given. Whoever counts may decide at any later time, so that this
    is the same as an answer that comes late. A promise may be lost, for it changes what a candidate
    knows; an acknowledgement that is lost is a decision that is never made.
  - A crash of a replica between two steps loses a role with all that it counted, and nothing else.

Rules.
  R1  An epoch has one owner, who uses it once, also across restarts, and above all it promised.
  R2  A promise is durable before it is given. Who promised takes nothing from older epochs.
  R3  A candidate leads with promises of an election quorum, and with the newest history among them:
      the greatest (current epoch, length).
  R4  A replica stores a leader's initial history and its epoch in one step. It takes further
      entries of an epoch, in order, only where this is both the promised and the current one.
  R5  A leader is established, and its initial history committed, when a replication quorum stored
      it with the epoch. Before that it proposes, commits and confirms nothing.
  R6  An entry is committed when a replication quorum stored it in the leader's own epoch, and all
      before it are. The leader's own disk is one among others, and need not be in the quorum.
  R7  A read notes the commit index. It is answered with that when a set that meets every election
      quorum answered, after it was asked for, that the leader's epoch is the newest they promised.
  R8  A change of quorums is an entry; an established leader proposes it, at most one at a time. It
      is under way in a history that holds it until it is known to be committed. Under way:
      leading, and committing the change and what is established with it, need quorums of both
      systems; entries before it the old system's only; a read needs a set that meets every election
      quorum of the old system AND one that meets every one of the new. (Not: one that meets every
      set that is a quorum of both. A replica that has not seen the change is elected without it.)
  R9  Once it is known to be committed only the new system's quorums are needed. A replica learns
      that from a leader that committed it, and tells with its promises: `knows`.

Invariants, asserted where they could break.
  I1  A replica never promises, or stores for, an epoch below one which it promised.
  I2  At most one value is committed in a slot, whichever leaders commit there.
  I3  What any older epoch committed is in the history of every leader.
  I4  A read is not answered with less than what was committed before it was asked for.
  I5  A confirmed read shows that no later leader had begun when it was asked for. (Stronger than
      I4, which holds as well if the set meets every replication quorum. Leases need I5.)

Reductions, none of which hides a fault.
  - Reads change nothing, so one at a time is enough; and one asked for before a later leader began
    can break neither I4 nor I5, so only the others are: none of them may be confirmed.
  - What is left of a history that nobody can take any more is what its leader committed.
  - Where replicas are alike (ALIKE), they own their first epochs in the order of their numbers.

Broken variants, each a macro, each found: see the rows. (Quorums that miss each other, and a
barrier that an election quorum misses, are given as tables.)
*/

#ifndef N
#define N 3
#endif
#ifndef E
#define E 3
#endif
#ifndef K
#define K 2
#endif

/* Stages of an epoch. */
#define UNUSED   0
#define OVER     1  /* its owner never led, or nobody can take what it sent */
#define ASKING   2  /* its owner, a candidate, gathers promises */
#define SYNCING  3  /* its owner leads and is not established */
#define LEADING  4  /* its owner is established */
#define GONE     5  /* it had a leader, whose messages are still under way */

/* A log is a number: four bits an entry, the first one lowest. An entry is the epoch in which it
 * was proposed, plus CHANGES if it changes the quorums; no leader proposes a slot twice. */
#define CHANGES        8
#define ENTRY(l, i)    (((l) >> (4 * (i))) & 15)
#define PREFIX(l, n)   ((l) & ((1 << (4 * (n))) - 1))
#define LEN(l)         (((l) > 0) + ((l) > 15) + ((l) > 255))
#define OF(l, i, e)    ((ENTRY(l, i) & 7) == (e))
#define INITIAL(e)     (LEN(hist[e]) - OF(hist[e], 0, e) - OF(hist[e], 1, e) - OF(hist[e], 2, e))
#define CHANGE_AT(l)   (((l) & 8) -> 1 : (((l) & 128) -> 2 : (((l) & 2048) -> 3 : 0)))
#define LAST_EPOCH(l)  (((l) -> ENTRY(l, LEN(l) - 1) : 0) & 7)

#define EXTENDS(e, f)  (PREFIX(hist[e], com[f]) == PREFIX(hist[f], com[f]))

#ifdef UNOWNED            /* broken R1: two epochs have one number, and only that is compared */
#define NUM(e)         (((e) + 1) / 2)
#else
#define NUM(e)         (e)
#endif

#ifdef RANK_BY_LAST_ENTRY /* broken R3: histories compared by the epoch of the last entry */
#define RANK(r)        LAST_EPOCH(log[r])
#else
#define RANK(r)        cur[r]
#endif

byte owner[E + 1];        /* of an epoch */

/* Durable, of a replica. */
byte prom[N];             /* the newest epoch promised */
byte cur[N];              /* the epoch of the last leader whose history it stored */
short log[N];
bit knows[N];             /* that the change of quorums in its log is committed */
byte said[N];             /* seen from outside: the newest epoch it ever said to have promised */
#ifdef EPOCH_BEFORE_HISTORY
bit half[N];
#endif

/* Of an epoch: its leader's memory, and what that sent. */
byte stage[E + 1];
short hist[E + 1];        /* the best history promised so far, then the leader's */
byte com[E + 1];          /* how much of it its leader committed; kept when that is gone */
byte mask[E + 1];         /* who promised */
byte best[E + 1];         /* the rank of the best history promised */
bit known[E + 1];         /* some promiser knows that the change is committed */
byte acked[(E + 1) * N];  /* 1 + how many entries a replica stored in this epoch; 0 for none */

byte i, j;                /* counters within a step, 0 between steps */

byte reader;              /* the epoch whose leader was asked for a read */
bit behind;               /* others had committed more than it noted */
byte answers;             /* who confirmed that epoch since */

#define LEADS(f, e)    ((f) > (e) && stage[f] >= SYNCING)
#if E == 4
#define BEHIND(e)      (com[1] > com[e] || com[2] > com[e] || com[3] > com[e] || com[4] > com[e])
#define HAS_LATER(e)   (LEADS(2, e) || LEADS(3, e) || LEADS(4, e))
#elif E == 3
#define BEHIND(e)      (com[1] > com[e] || com[2] > com[e] || com[3] > com[e])
#define HAS_LATER(e)   (LEADS(2, e) || LEADS(3, e))
#else
#define BEHIND(e)      (com[1] > com[e] || com[2] > com[e])
#define HAS_LATER(e)   LEADS(2, e)
#endif

#define IN(table, m)   (((table) >> (m)) & 1)
#define HOLDS(e, n, r) ((acked[(e) * N + r] > (n)) << r)
#if N == 4
#define STORED(e, n)   (HOLDS(e, n, 0) | HOLDS(e, n, 1) | HOLDS(e, n, 2) | HOLDS(e, n, 3))
#define UNPROMISED(e)  (prom[0] <= e || prom[1] <= e || prom[2] <= e || prom[3] <= e)
#else
#define STORED(e, n)   (HOLDS(e, n, 0) | HOLDS(e, n, 1) | HOLDS(e, n, 2))
#define UNPROMISED(e)  (prom[0] <= e || prom[1] <= e || prom[2] <= e)
#endif

#ifdef CHANGE
#ifdef ONE_STEP           /* broken R8: the new quorums rule alone once the change is stored */
#define UNDER_WAY(e)   0
#else
#define UNDER_WAY(e)   (com[e] < CHANGE_AT(hist[e]) && !known[e])
#endif
#define IS_OLD(e, n)   (CHANGE_AT(hist[e]) == 0 || (n) < CHANGE_AT(hist[e]))
#define BY(e, n, m, old, new) \
    (IS_OLD(e, n) -> IN(old, m) : (IN(new, m) && (!UNDER_WAY(e) || IN(old, m))))
#ifdef DUAL_OF_BOTH       /* broken R8: a read confirmed by a set that meets the quorums of both */
#define CONFIRMS(e, m) (UNDER_WAY(e) -> (IN(BARRIER_OLD, m) || IN(BARRIER_NEW, m)) : \
    BY(e, K, m, BARRIER_OLD, BARRIER_NEW))
#else
#define CONFIRMS(e, m) BY(e, K, m, BARRIER_OLD, BARRIER_NEW)
#endif
#define ELECTS(e, m)         BY(e, K, m, ELECTION_OLD, ELECTION_NEW)
#define REPLICATES(e, n, m)  BY(e, n, m, REPLICATION_OLD, REPLICATION_NEW)
#else
#define CONFIRMS(e, m)       IN(BARRIER_OLD, m)
#define ELECTS(e, m)         IN(ELECTION_OLD, m)
#define REPLICATES(e, n, m)  IN(REPLICATION_OLD, m)
#endif

#ifdef LONE_SYNC          /* broken R5: one acknowledgement establishes */
#define ESTABLISHES(e, m)    (m)
#else
#define ESTABLISHES(e, m)    REPLICATES(e, INITIAL(e), m)
#endif

#ifdef HOLDER_COUNTS      /* broken R6: an old entry counts for who holds it, whatever its epoch */
#define IS_NEWS(e, r)  (stage[e] == GONE || acked[(e) * N + r] == 0)
#define FOLLOWS(e, r)  (LEN(log[r]) >= INITIAL(e) && PREFIX(hist[e], LEN(log[r])) == log[r])
#else
#define IS_NEWS(e, r)  true
#ifdef EPOCH_BEFORE_HISTORY
#define FOLLOWS(e, r)  (NUM(cur[r]) == NUM(e) && !half[r])
#else
#define FOLLOWS(e, r)  (NUM(cur[r]) == NUM(e))
#endif
#endif

#ifdef EARLY_ANSWERS      /* broken R7: answers count that were given before the read */
#define MAY_ASK(e)     true
#define NOTED_LESS(e)  BEHIND(e)
#else
#define NOTED_LESS(e)  behind
#ifdef READS_ONLY         /* not broken: I4 without I5 */
#define MAY_ASK(e)     BEHIND(e)
#else
#define MAY_ASK(e)     HAS_LATER(e)
#endif
#endif
#ifdef READS_ONLY
#define MAY_NOT(e)     NOTED_LESS(e)
#else
#define MAY_NOT(e)     HAS_LATER(e)
#endif

#define KEEPS(n, holds)         assert((n) && (holds))  /* invariant n; the checker prints it */
#ifdef OUTCOME_ONLY       /* not broken: without I1, which tells before anything is lost */
#define KEEPS_PROMISES(holds)  skip
#else
#define KEEPS_PROMISES(holds)  KEEPS(1, holds)
#endif

#ifdef GOAL               /* a state that should be reached: its "violation" shows that it is */
active proctype Goal() {
end:
    d_step { GOAL -> assert(false) }
}
#endif

/* The leader of an epoch is gone, with all it counted; what it sent may still arrive. */
inline leave(p) {
    if
    :: stage[p] == ASKING -> stage[p] = OVER; hist[p] = 0; mask[p] = 0; best[p] = 0; known[p] = 0
    :: stage[p] == SYNCING || stage[p] == LEADING ->
        stage[p] = GONE;
        for (i : 0 .. N - 1) { acked[p * N + i] = 0 };
        i = 0
    :: else
    fi;
    if
    :: reader == p -> reader = 0; answers = 0; behind = 0
    :: else
    fi
}

/* Promise e, which ends what the replica was before (R1, R2). */
inline promise() {
    KEEPS_PROMISES(NUM(said[r]) < NUM(e));
    if
    :: prom[r] && owner[prom[r]] == r -> leave(prom[r])
    :: else
    fi;
    prom[r] = e;
    said[r] = e;
#ifdef EPOCH_BEFORE_HISTORY
    half[r] = 0;
#endif
    for (j : 1 .. E) {
        if
        :: stage[j] == GONE && !UNPROMISED(j) ->
            stage[j] = OVER; hist[j] = PREFIX(hist[j], com[j]); known[j] = 0
        :: else
        fi
    };
    j = 0
}

/* The leader of e commits n entries. */
inline commit(n) {
    com[e] = n;
    for (j : 1 .. E) {
        if
        :: j != e ->
            i = (com[j] < com[e] -> com[j] : com[e]);
            KEEPS(2, PREFIX(hist[j], i) == PREFIX(hist[e], i));
            KEEPS(3, j < e || stage[j] < SYNCING || EXTENDS(j, e))
        :: else
        fi
    };
    i = 0;
    j = 0
}

inline acknowledge(n) {
    if
    :: stage[e] == SYNCING || stage[e] == LEADING -> acked[e * N + r] = (n) + 1
    :: else
    fi
}

proctype Pair(byte r; byte e) {
end:
    do
    /* Elections (R1 to R3). */
    :: d_step { owner[e] == r && stage[e] == UNUSED && NUM(prom[r]) < NUM(e) ->
        promise();
        stage[e] = ASKING; mask[e] = 1 << r;
        hist[e] = log[r]; best[e] = RANK(r); known[e] = knows[r];
        printf("%d stands in epoch %d\n", r, e) }
    :: d_step { owner[e] != r && stage[e] == ASKING && NUM(prom[r]) < NUM(e) ->
        promise();
        mask[e] = mask[e] | (1 << r);
        known[e] = known[e] | knows[r];
#ifndef OWN_HISTORY       /* broken R3: a candidate leads with what it has itself */
        if
        :: NUM(RANK(r)) > NUM(best[e]) ||
           (NUM(RANK(r)) == NUM(best[e]) && LEN(log[r]) > LEN(hist[e])) ->
            hist[e] = log[r]; best[e] = RANK(r)
        :: else
        fi;
#endif
        printf("%d promises epoch %d to %d\n", r, e, owner[e]) }
    :: d_step { owner[e] != r && stage[e] != UNUSED && NUM(prom[r]) < NUM(e) ->
        promise();
        printf("%d promises epoch %d, not counted\n", r, e) }
    :: d_step { owner[e] == r && stage[e] == ASKING && ELECTS(e, mask[e]) ->
        stage[e] = SYNCING; mask[e] = 0; best[e] = 0;
        for (j : 1 .. e - 1) {
            KEEPS(3, EXTENDS(e, j))
        };
        j = 0;
        printf("%d leads epoch %d with %x\n", r, e, hist[e]) }

    /* Synchronisation (R4, R5). */
    :: d_step { stage[e] >= SYNCING && NUM(prom[r]) == NUM(e) && NUM(cur[r]) < NUM(e) &&
        IS_NEWS(e, r) ->
        KEEPS_PROMISES(NUM(said[r]) <= NUM(e));
#ifdef EPOCH_BEFORE_HISTORY /* broken R4: the epoch is durable, and then the history */
        half[r] = 1;
#else
        log[r] = PREFIX(hist[e], INITIAL(e));
        acknowledge(INITIAL(e));
#endif
#ifndef HOLDER_COUNTS
        cur[r] = e;
#endif
        printf("%d stores the history of epoch %d: %x\n", r, e, PREFIX(hist[e], INITIAL(e))) }
#ifdef EPOCH_BEFORE_HISTORY
    :: d_step { stage[e] >= SYNCING && prom[r] == e && cur[r] == e && half[r] ->
        half[r] = 0; log[r] = PREFIX(hist[e], INITIAL(e)); acknowledge(INITIAL(e)) }
#endif
    :: d_step { owner[e] == r && stage[e] == SYNCING &&
        ESTABLISHES(e, STORED(e, INITIAL(e))) ->
        stage[e] = LEADING;
        commit(INITIAL(e));
        printf("%d is established in epoch %d\n", r, e) }

    /* Broadcast (R4, R6). */
    :: d_step { owner[e] == r && stage[e] == LEADING && LEN(hist[e]) < K ->
        hist[e] = hist[e] | (e << (4 * LEN(hist[e])));
        printf("%d proposes in epoch %d: %x\n", r, e, hist[e]) }
    :: d_step { stage[e] >= SYNCING && NUM(prom[r]) == NUM(e) && LEN(log[r]) < LEN(hist[e]) &&
        FOLLOWS(e, r) ->
        KEEPS_PROMISES(NUM(said[r]) <= NUM(e));
        log[r] = log[r] | (ENTRY(hist[e], LEN(log[r])) << (4 * LEN(log[r])));
        cur[r] = e;
        acknowledge(LEN(log[r]));
        printf("%d stores of epoch %d: %x\n", r, e, log[r]) }
    :: d_step { owner[e] == r && stage[e] == LEADING && com[e] < LEN(hist[e]) &&
        REPLICATES(e, com[e] + 1, STORED(e, com[e] + 1)) ->
        commit(com[e] + 1);
        printf("%d commits %d entries in epoch %d\n", r, com[e], e) }

    /* Reads (R7), of which only those are asked for that may not be confirmed (I4, I5). */
    :: d_step { owner[e] == r && stage[e] == LEADING && reader == 0 && MAY_ASK(e) ->
        reader = e; behind = BEHIND(e);
        printf("a read in epoch %d notes %d entries\n", e, com[e]) }
    :: d_step { reader == e && prom[r] == e && !IN(answers, r) ->
        answers = answers | (1 << r);
        printf("%d answers that epoch %d is the newest it promised\n", r, e) }
    :: d_step { owner[e] == r && reader == e && MAY_NOT(e) && CONFIRMS(e, answers) ->
        printf("the read in epoch %d is confirmed\n", e);
        KEEPS(4, !NOTED_LESS(e));
        KEEPS(5, !HAS_LATER(e)) }

#ifdef CHANGE
    /* The change of quorums (R8, R9). */
    :: d_step { owner[e] == r && stage[e] == LEADING && LEN(hist[e]) < K && !CHANGE_AT(hist[e]) ->
        hist[e] = hist[e] | ((e | CHANGES) << (4 * LEN(hist[e])));
        printf("%d proposes the change in epoch %d: %x\n", r, e, hist[e]) }
    :: d_step { stage[e] >= LEADING && prom[r] == e && cur[r] == e && !knows[r] &&
        CHANGE_AT(log[r]) && CHANGE_AT(log[r]) <= com[e] ->
        knows[r] = 1;
        printf("%d learns in epoch %d that the change is committed\n", r, e) }
#endif

    /* Crashes. */
    :: d_step { owner[e] == r && prom[r] == e && stage[e] >= ASKING && stage[e] != GONE ->
        leave(e);
        printf("%d crashes as the owner of epoch %d\n", r, e) }
#ifdef PROMISE_FORGOTTEN  /* broken R2: a promise is kept in memory only */
    :: d_step { owner[e] != r && prom[r] == e && cur[r] < e -> prom[r] = cur[r] }
#endif
    od
}

init {
    d_step { owner[0] = N }
    atomic {
#ifdef ALIKE
        owner[1] = 0;
#else
        select(i : 0 .. N - 1); owner[1] = i;
#endif
        for (j : 2 .. E) {
#ifdef ALIKE
            select(i : 0 .. (j < N -> j : N) - 1);
#else
            select(i : 0 .. N - 1);
#endif
            owner[j] = i
        }
        for (i : 0 .. N - 1) { for (j : 1 .. E) { run Pair(i, j) } };
        i = 0;
        j = 0
    }
}
