"""The durable log: entries, the hard state, and what else a replica must never forget.

Rules

1. One write is one durable transaction, whatever it holds: a new history and the epoch that it
   belongs to become durable together or not at all.
2. Entries stand at consecutive indexes: `base.index + 1 .. last_index`.
3. What is trimmed is dropped a little with every write, never much at once.
4. Every transaction writes the hard state with its own number: see `pages`.
5. The log is shown up to the first entry that is damaged (`look_for_damage`); what is behind that
   stays on the disk until other entries take its place, for the damage may be mended.

How a write is made. Each call into LMDB gives the interpreter's lock away; taking it back beside a
busy loop may cost a switch interval. So the loop itself puts (`stage`) and another thread, or the
loop when nothing else waits, makes one call: `commit`. Beside a busy loop a write of one entry then
takes 0.25 ms (99 %: 1.1 ms), and 0.36 ms (3.8 ms) when the thread does all of it. Then the loop
shows what was committed (`finish`), so that nothing changes under it between two looks.

For that the environment is opened without LMDB's own locks. Their two jobs are done here: there is
one writer at a time (a stage follows the commit before it; the data folder is locked against other
processes), and no reader is too old. LMDB reuses a page in transaction N only if neither N - 1 nor
N - 2 can see it; our reader sees N - 1 while N is made, and is renewed before N + 1 begins, never
while a commit is under way, when it could read half of the page that names the newest state.
Nothing else differs: the same two syncs, in the same order.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import lmdb

from coord.consensus.effects import InstalledSnapshot, Persist
from coord.consensus.log import NOTHING_STORED, ORIGIN, Entry, HardState, Point, follows
from coord.storage import log_records as records
from coord.storage.environment import Environment, Transaction
from coord.storage.errors import DamagedEntry, DamagedLog
from coord.storage.pages import check_pages
from coord.storage.seal import seal, unseal

MAP_BYTES: Final = 1 << 38
"""Addresses set aside; the log is trimmed long before."""
TRIM_MAX: Final = 200
"""Entries dropped with one write at most: about 0.2 ms."""

_index: Final = records.INDEX.pack


@attrs.frozen
class _State:
    """What the log holds beside the entries, and where they begin and end."""

    hard: HardState = NOTHING_STORED
    """As stored last."""
    base: Point = ORIGIN
    """Just below the first entry."""
    last_index: int = 0
    """The last entry; the base when there is none."""
    tree: str | None = None
    """The tree that counts; None before the first start is over."""
    distrust: str = ""
    """Why the tree must not be used; empty: it may."""
    configuration: bytes = b""
    """A configuration in force at the base or later, and committed; b"" when none is known."""


class DurableLog:
    """The log of one replica; implements `LogReader`.

    `commit` may run in any thread, one at a time; all the rest belongs to the loop's thread and may
    be used during a commit, but for `stage`, `write` and the naming calls, which come after it.
    """

    def __init__(self, environment: Environment) -> None:
        """Use `open`."""
        self._environment = environment
        self._values = environment.database(b"state")
        self._entries = environment.database(b"entries")
        self._reader = environment.read()
        self._state = self._stored_state()
        self._staging: Transaction | None = None
        self._staged = self._state
        self._hidden_last = 0
        """The last entry on the disk, when it lies behind a damaged one; else 0."""
        # Set by the thread that committed, taken by the loop: see `finish`.
        self._committed: _State | None = None
        self.birth = records.number(self._value(b"birth"))
        """Random, positive, made with the folder: it tells a wiped disk from the old one."""
        self.start = records.number(self._value(b"start"))
        """Rises with every opening: above that of any folder which this one replaces."""

    @classmethod
    def open(cls, path: Path) -> "DurableLog":
        """Open the log, made when it is not there; its start counter is raised durably."""
        databases = {b"state": True, b"entries": False}  # others mend what is damaged in an entry
        check_pages(path / "data.mdb", DamagedLog, databases, records.NUMBERED)
        environment = Environment.open(
            path, map_bytes=MAP_BYTES, locked=False, durable=True, damage=DamagedLog
        )
        try:
            values = environment.database(b"state")
            environment.database(b"entries")
            transaction = environment.write()
            with environment.failing():
                for name, change in ((b"birth", records.born), (b"start", records.raised)):
                    stored = records.unsealed(name, transaction.get(name, db=values))
                    number = change(None if stored is None else records.number(stored))
                    transaction.put(name, seal(name, records.NUMBER.pack(number)), db=values)
                stored = records.unsealed(b"hard", transaction.get(b"hard", db=values))
                value = records.packed_hard(records.unpacked_hard(stored), transaction.id())
                transaction.put(b"hard", seal(b"hard", value), db=values)
            environment.commit(transaction)
            environment.sync()
            return cls(environment)
        except BaseException:
            environment.close()
            raise

    @property
    def hard(self) -> HardState:
        """The hard state as stored last."""
        return self._state.hard

    @property
    def base(self) -> Point:
        """The place just below the first entry that is kept; ORIGIN when nothing was trimmed."""
        return self._state.base

    @property
    def last_index(self) -> int:
        """Index of the last durable entry; the base's when there is none."""
        return self._state.last_index

    @property
    def tree(self) -> str | None:
        """Name of the tree that counts; None before the first start is over."""
        return self._state.tree

    @property
    def distrust(self) -> str:
        """Why the tree must not be used; empty when it may be."""
        return self._state.distrust

    @property
    def configuration(self) -> bytes:
        """A committed configuration, not older than the base's; b"" when none had to be kept."""
        return self._state.configuration

    def write(
        self, persists: Sequence[Persist], trim_to: int | None = None, configuration: bytes = b""
    ) -> None:
        """Make some Persists durable in one transaction: stage, commit and finish."""
        self.stage(persists, trim_to, configuration)
        self.commit()
        self.finish()

    def stage(
        self, persists: Sequence[Persist], trim_to: int | None = None, configuration: bytes = b""
    ) -> None:
        """Put some Persists into the next transaction; only `commit` makes them durable.

        Entries up to `trim_to` may be dropped; `configuration` is that of the tree, which stands
        there or later: without it, a log that lost its tree would not know who counts.
        May be called again before `commit`, never during one, which it finishes.
        """
        transaction = self._begin()
        try:
            for persist in persists:
                self._stage(transaction, persist)
            if trim_to is not None:
                self._trim(transaction, trim_to, configuration)
            self._put_hard(transaction)
        except lmdb.Error as error:
            raise self._environment.failure(error) from error

    def commit(self) -> None:
        """Make durable what was staged; blocks on the disk, in any thread. Then `finish`."""
        transaction = self._staging
        if transaction is None:
            return
        self._environment.commit(transaction)
        self._staging = None
        self._committed = self._staged

    def finish(self) -> None:
        """Show what was committed; until then readers see what was there before."""
        if self._committed is not None:
            self._reader.abort()
            self._reader = self._environment.read()
            self._state, self._committed = self._committed, None

    def name_tree(self, name: str) -> None:
        """Say durably which tree counts, and is to be trusted."""
        transaction = self._begin()
        self._put(transaction, b"tree", name.encode())
        self._put(transaction, b"distrust", b"")
        self._staged = attrs.evolve(self._staged, tree=name, distrust="")
        self._complete(transaction)

    def distrust_tree(self, reason: str, configuration: bytes) -> None:
        """Say durably that the tree must not be used any more, until another one is named."""
        transaction = self._begin()
        self._put(transaction, b"distrust", reason.encode())
        self._keep_configuration(transaction, configuration)
        self._staged = attrs.evolve(self._staged, distrust=reason)
        self._complete(transaction)

    def look_for_damage(self, after: Point) -> int | None:
        """Read all entries after a place; show none from the first damaged one on: its index."""
        chain, reach = after.chain, self.hard.reach
        for index in range(after.index + 1, self.last_index + 1):
            try:
                entry = self._read_one(self._reader, index)
            except DamagedEntry:
                return self._hide(index)
            if not follows(chain, entry):
                return self._hide(index)
            chain = entry.chain
        if reach.index == self.last_index > after.index and chain != reach.chain:
            return self._hide(after.index + 1)
        return None

    def is_damaged(self, first: int, last: int) -> bool:
        """Read entries, and tell whether one of them is not what was written."""
        try:
            for index in range(first, last + 1):
                self._read_one(self._reader, index)
        except DamagedEntry:
            return True
        return False

    def forget(self, point: Point, configuration: bytes) -> None:
        """Drop all entries up to a place at once, whole or not: the tree holds what they did."""
        transaction = self._begin()
        self._drop(transaction, point)
        self._keep_configuration(transaction, configuration)
        self._complete(transaction)

    def read(self, first: int, last: int, bytes_max: int) -> list[Entry]:
        """Return entries from `first` on, at least one, until `last` or until the size is met."""
        if not self.base.index < first <= last <= self.last_index:
            raise IndexError(
                f"entries {first}..{last} are not all in the log, which holds"
                f" {self.base.index + 1}..{self.last_index}"
            )
        found: list[Entry] = []
        size = 0
        reader = self._reader
        for index in range(first, last + 1):
            entry = self._read_one(reader, index)
            size += len(entry.payload)
            if found and size > bytes_max:
                break
            found.append(entry)
        return found

    def close(self) -> None:
        """Let go of the file; what was staged and not committed is lost."""
        if self._staging is not None:
            self._staging.abort()
        self._reader.abort()
        self._environment.close()

    def _begin(self) -> Transaction:
        """Return the transaction that is being filled, beginning one when there is none."""
        if self._staging is None:
            self.finish()
            self._staged = self._state
            self._staging = self._environment.write()
        return self._staging

    def _complete(self, transaction: Transaction) -> None:
        """Make durable what was put, here and now."""
        self._put_hard(transaction)
        self.commit()
        self.finish()

    def _hide(self, index: int) -> int:
        """Show the log up to the entry before this one."""
        assert self._staging is None, "looked at before anything is written"
        self._hidden_last = self.last_index
        self._state = attrs.evolve(self._state, last_index=index - 1)
        return index

    def _drop_hidden(self, transaction: Transaction) -> None:
        """Other entries take the place of those that are not shown."""
        for index in range(self._staged.last_index + 1, self._hidden_last + 1):
            transaction.delete(_index(index), db=self._entries)
        self._hidden_last = 0

    def _stage(self, transaction: Transaction, persist: Persist) -> None:
        if self._hidden_last and (persist.entries or persist.snapshot is not None):
            self._drop_hidden(transaction)
        state = self._staged
        if persist.snapshot is not None:
            state = self._replace_all(transaction, persist.snapshot)
        base, last = state.base, state.last_index
        if persist.truncate_after is not None:
            assert base.index <= persist.truncate_after, "cannot cut below the base"
            for index in range(persist.truncate_after + 1, last + 1):
                transaction.delete(_index(index), db=self._entries)
            last = min(last, persist.truncate_after)
        for entry in persist.entries:
            last += 1
            assert entry.index == last, f"entry {entry.index} would leave a gap at {last}"
            key = _index(last)
            value = records.ENTRY.pack(entry.epoch, entry.kind, entry.chain) + entry.payload
            if not transaction.put(key, seal(key, value), append=True, db=self._entries):
                raise DamagedLog(f"the log holds entries above its last, {last - 1}")
        hard = persist.hard or state.hard
        self._staged = attrs.evolve(state, hard=hard, last_index=last)

    def _replace_all(self, transaction: Transaction, snapshot: InstalledSnapshot) -> _State:
        """Drop the log and name the tree that takes its place."""
        base = Point(snapshot.index, snapshot.epoch, snapshot.chain)
        transaction.drop(self._entries, delete=False)
        self._put(transaction, b"base", records.POINT.pack(base.index, base.epoch, base.chain))
        self._put(transaction, b"tree", snapshot.name.encode())
        self._put(transaction, b"distrust", b"")
        self._keep_configuration(transaction, snapshot.configuration.encode())
        return attrs.evolve(
            self._staged, base=base, last_index=base.index, tree=snapshot.name, distrust=""
        )

    def _trim(self, transaction: Transaction, trim_to: int, configuration: bytes) -> None:
        """Drop entries up to an index, a bounded number of them."""
        state = self._staged
        last = min(trim_to, state.last_index, state.base.index + TRIM_MAX)
        if last <= state.base.index:
            return
        entry = self._read_one(transaction, last)
        self._drop(transaction, Point(last, entry.epoch, entry.chain))
        self._keep_configuration(transaction, configuration)

    def _drop(self, transaction: Transaction, base: Point) -> None:
        """Drop all entries up to a place."""
        for index in range(self._staged.base.index + 1, base.index + 1):
            transaction.delete(_index(index), db=self._entries)
        self._put(transaction, b"base", records.POINT.pack(base.index, base.epoch, base.chain))
        self._staged = attrs.evolve(self._staged, base=base)

    def _keep_configuration(self, transaction: Transaction, configuration: bytes) -> None:
        if configuration and configuration != self._staged.configuration:
            self._put(transaction, b"configuration", configuration)
            self._staged = attrs.evolve(self._staged, configuration=configuration)

    def _put_hard(self, transaction: Transaction) -> None:
        self._put(transaction, b"hard", records.packed_hard(self._staged.hard, transaction.id()))

    def _put(self, transaction: Transaction, name: bytes, value: bytes) -> None:
        try:
            transaction.put(name, seal(name, value), db=self._values)
        except lmdb.Error as error:
            raise self._environment.failure(error) from error

    def _read_one(self, transaction: Transaction, index: int) -> Entry:
        key = _index(index)
        try:
            stored = transaction.get(key, db=self._entries)
        except lmdb.Error as error:
            raise DamagedLog(f"the log is damaged: {error}") from error
        value = None if stored is None else unseal(key, stored)
        if value is None or len(value) < records.ENTRY.size:
            raise DamagedEntry(index)
        epoch, kind, chain = records.ENTRY.unpack_from(value)
        return Entry(index, epoch, kind, chain, value[records.ENTRY.size :])

    def _value(self, name: bytes) -> bytes | None:
        try:
            stored = self._reader.get(name, db=self._values)
        except lmdb.Error as error:
            raise DamagedLog(f"the log is damaged: {error}") from error
        return records.unsealed(name, stored)

    def _stored_state(self) -> _State:
        base, tree = self._value(b"base"), self._value(b"tree")
        point = ORIGIN if base is None else Point(*records.POINT.unpack(base))
        return _State(
            hard=records.unpacked_hard(self._value(b"hard")),
            base=point,
            last_index=self._stored_last(point.index),
            tree=None if tree is None else tree.decode(),
            distrust=(self._value(b"distrust") or b"").decode(),
            configuration=self._value(b"configuration") or b"",
        )

    def _stored_last(self, base: int) -> int:
        """Return the index of the last entry; the base when there is none."""
        try:
            with self._reader.cursor(db=self._entries) as cursor:
                last = int(records.INDEX.unpack(cursor.key())[0]) if cursor.last() else base
            count = int(self._reader.stat(self._entries)["entries"])
        except lmdb.Error as error:
            raise DamagedLog(f"the log is damaged: {error}") from error
        if last - base != count:
            raise DamagedLog(f"the log is damaged: entries {base + 1}..{last} are {count}")
        return last
