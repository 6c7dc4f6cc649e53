"""Producers with epochs, sequences and transactions on the embedded log, for programs that rely on them.

A producer numbers its records in each partition; one that comes again is not stored again. Who begins again under the same
transactional name gets the next epoch, and the former one is refused. What is produced in a transaction waits beside the
log, durable, and is stored by the commit in one step with the end of the transaction: readers see all of it or nothing, and
never what was given up. So its offsets are known at the commit and not before.

Durable writes are named `init_producer`, `produce`, `begin_transaction` and `end_transaction` for failpoints.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec

from restock.core.clock import Clock, timestamp
from restock.core.errors import Conflict, InvalidInput, NotFound
from restock.core.ids import Ids
from restock.engine.database import Database, Transaction
from restock.engine.stream import producer_tables as sql
from restock.engine.stream.log import EmbeddedLog, Entry, Layout
from restock.engine.stream.port import MAX_NAME, MAX_PUBLISH, Message

UNUSED_AFTER = timedelta(days=7)
"""A producer that was silent for so long is forgotten, as on Kafka; with it how far its sequences were."""

FORGOTTEN_AT_ONCE = 20
"""Producers that a beginning one forgets at most."""

TIMEOUT_MS, MOST_TIMEOUT_MS = 60_000, 15 * 60_000
"""How long a transaction may stay open: unless it says so, and at most (as on Kafka)."""

MAX_BYTES = 8 << 20
"""Bytes in one transaction: its commit stores them in one step, and others wait for that."""

OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[str, bytes | None, dict[str, str]]]).decode


class Who(NamedTuple):
    """A producer as it names itself."""

    producer: int
    epoch: int


class Stored(NamedTuple):
    """What became of a batch: its first and last offset (0 where they are not known), and whether some came again."""

    first: int
    last: int
    again: bool


class Producers:
    """The producers of one log; several processes may have one each."""

    def __init__(self, log: EmbeddedLog, database: Database, clock: Clock, ids: Ids) -> None:
        self._log = log
        self._database = database
        self._clock = clock
        self._ids = ids

    async def begin_producing(self, transactional_id: str = "") -> Who:
        """Give a new producer, or the one of that name with its next epoch; what it had open is given up.

        Raises InvalidInput for a long name.
        """
        if len(transactional_id) > MAX_NAME:
            raise InvalidInput(f"has more than {MAX_NAME} characters.", field="transactional_id")
        now = timestamp(self._clock.now())
        silent = {"before": timestamp(self._clock.now() - UNUSED_AFTER), "most": FORGOTTEN_AT_ONCE}

        async def unit(tx: Transaction) -> Who:
            for (old,) in await tx.read(sql.UNUSED, silent):
                await self._give_up(tx, old, forget=True)
                await tx.write(sql.FORGET_SEQUENCES, {"of_producer": old})
                await tx.write(sql.FORGET, {"of_producer": old})
            found = await tx.read(sql.BY_NAME, {"wanted": transactional_id}) if transactional_id else []
            for producer, epoch in found:
                await self._give_up(tx, producer, forget=True)
                await tx.write(sql.USED, {"of_producer": producer, "new_epoch": epoch + 1, "now": now})
                await tx.write(sql.FORGET_SEQUENCES, {"of_producer": producer})
                return Who(producer, epoch + 1)
            await tx.write(sql.ADD, {"transactional_id": transactional_id, "epoch": 0, "used_at": now})
            ((producer,),) = await tx.read(sql.NEWEST)
            return Who(producer, 0)

        return await self._database.write("init_producer", unit)

    async def produce(
        self, who: Who, partition: int, messages: Sequence[Message], sequence: int | None, transaction: str = ""
    ) -> Stored:
        """Store a batch for one partition of one topic, or add it to a transaction; what came before is passed over.

        `sequence` is that of its first record. Raises Conflict for a former epoch, a sequence that leaves some out and a
        transaction that is not open, NotFound, InvalidInput.
        """
        if len(messages) > MAX_PUBLISH:
            raise InvalidInput(f"{len(messages)} records are too many.", remedy=f"Give at most {MAX_PUBLISH}.")
        layout = await self._log.layout_of([(partition, one) for one in messages])
        ((topic, parts),) = layout.items()
        entries = [entry for _, entry in parts[partition]]
        now = timestamp(self._clock.now())

        async def unit(tx: Transaction) -> Stored:
            await self._check(tx, who, now)
            key = {"of_producer": who.producer, "of_topic": topic, "of_partition": partition}
            known = await tx.read(sql.REACHED, key) if sequence is not None else []
            skip = _seen_before(sequence, known[0][0], len(entries)) if sequence is not None and known else 0
            if skip == len(entries):
                following, records, last = known[0]
                whole = sequence == following - records and records == skip and last >= 0
                return Stored(last - records + 1, last, True) if whole else Stored(0, 0, True)
            fresh = entries[skip:]
            if transaction:
                await self._wait(tx, who, transaction, (topic, partition), fresh)
                last = -1
            else:
                some: Layout = {topic: {partition: list(enumerate(fresh))}}
                last = (await self._log.append(tx, some, len(fresh)))[-1][1]
            if sequence is not None:
                row = {"new_next": sequence + len(entries), "new_records": len(fresh), "new_last": last}
                if known:
                    await tx.write(sql.SET_REACHED, {**key, **row})
                else:
                    place = {"producer": who.producer, "topic": topic, "partition": partition}
                    await tx.write(
                        sql.ADD_REACHED,
                        {**place, "next": sequence + len(entries), "records": len(fresh), "last_offset": last},
                    )
            return Stored(max(last - len(fresh) + 1, 0), max(last, 0), bool(skip))

        stored = await self._database.write("produce", unit)
        if not transaction:
            self._log.ring({one.topic for one in messages})
        return stored

    async def begin(self, who: Who, timeout_ms: int = 0) -> str:
        """Open a transaction and give its name; it is given up when it is open too long (0: a minute).

        Raises Conflict for a former epoch and while another one is open, InvalidInput for a long time, NotFound.
        """
        if timeout_ms > MOST_TIMEOUT_MS:
            raise InvalidInput(f"{timeout_ms} is too long.", field="timeout_ms", remedy=f"At most {MOST_TIMEOUT_MS}.")
        began = self._clock.now()
        until = timestamp(began + timedelta(milliseconds=timeout_ms or TIMEOUT_MS))
        name, now = self._ids.new(), timestamp(began)

        async def unit(tx: Transaction) -> str:
            await self._check(tx, who, now)
            for other, state, at in await tx.read(sql.OF_PRODUCER, {"of_producer": who.producer}):
                if state == OPEN and at >= now:
                    raise Conflict(f"Transaction {other} is open.", remedy="Commit it or give it up.")
                await tx.write(sql.DROP_WAITING, {"wanted": other})
                await tx.write(sql.FORGET_ENDED, {"wanted": other})
            row = {"id": name, "producer": who.producer, "state": OPEN, "at": until, "records": 0, "bytes": 0}
            await tx.write(sql.BEGIN, row)
            return name

        return await self._database.write("begin_transaction", unit)

    async def commit(self, who: Who, transaction: str) -> str:
        """Store all that a transaction holds, at once; give when. The same again, until the next begins, changes nothing.

        Raises Conflict for a former epoch and for one that was given up or took too long, NotFound.
        """
        now = timestamp(self._clock.now())
        topics: set[str] = set()

        async def unit(tx: Transaction) -> str:
            state, at, _, _ = await self._transaction(tx, who, transaction, now)
            if state == COMMITTED:
                return at
            _must_be_open(transaction, state)
            layout: Layout = defaultdict(lambda: defaultdict(list))
            count = 0
            for topic, partition, batch in await tx.read(sql.WAITING_OF, {"wanted": transaction}):
                for entry in _unpack(batch):
                    layout[topic][partition].append((count, entry))
                    count += 1
            await self._log.append(tx, layout, count)
            await self._end(tx, transaction, COMMITTED, now)
            topics.update(self._log.named(layout))
            return now

        at = await self._database.write("end_transaction", unit)
        self._log.ring(topics)
        return at

    async def abort(self, who: Who, transaction: str) -> None:
        """Give a transaction up; nothing of it is ever read. The same again changes nothing.

        Raises Conflict for a former epoch and for one that was committed, NotFound.
        """
        now = timestamp(self._clock.now())

        async def unit(tx: Transaction) -> None:
            state, _, _, _ = await self._transaction(tx, who, transaction, now)
            if state == COMMITTED:
                raise Conflict(f"Transaction {transaction} was committed.", remedy="Nothing can be taken back.")
            await self._end(tx, transaction, ABORTED, now)

        await self._database.write("end_transaction", unit)

    async def lives(self, who: Who, transaction: str = "") -> None:
        """Return if a producer may go on. Raises as `produce` would."""
        now = timestamp(self._clock.now())

        async def unit(tx: Transaction) -> None:
            await self._check(tx, who, now)
            if transaction:
                _must_be_open(transaction, (await self._transaction(tx, who, transaction, now))[0])

        await self._database.write("produce", unit)

    async def _check(self, tx: Transaction, who: Who, now: str) -> None:
        """Refuse a former epoch; remember that the producer was there."""
        found = await tx.read(sql.EPOCH, {"of_producer": who.producer})
        if not found:
            raise NotFound(
                f"There is no producer {who.producer}.", field="producer_id", remedy="Begin with InitProducer."
            )
        if found[0][0] != who.epoch:
            raise Conflict(
                f"Producer {who.producer} has epoch {found[0][0]}, not {who.epoch}.",
                field="producer_epoch",
                remedy="Another one took over: begin with InitProducer.",
            )
        await tx.write(sql.USED, {"of_producer": who.producer, "new_epoch": who.epoch, "now": now})

    async def _transaction(self, tx: Transaction, who: Who, name: str, now: str) -> tuple[str, str, int, int]:
        """Give state, moment, records and bytes of a producer's transaction; one that took too long was given up."""
        await self._check(tx, who, now)
        found = await tx.read(sql.ONE, {"wanted": name})
        if not found or found[0][0] != who.producer:
            raise NotFound(f"Producer {who.producer} has no transaction {name[:50]!r}.", field="transaction_id")
        _, state, at, records, size = found[0]
        if state == OPEN and at < now:
            state = ABORTED
        return state, at, records, size

    async def _wait(
        self, tx: Transaction, who: Who, name: str, place: tuple[int, int], entries: Sequence[Entry]
    ) -> None:
        now = timestamp(self._clock.now())
        state, _, records, size = await self._transaction(tx, who, name, now)
        _must_be_open(name, state)
        batch = _pack(entries)
        records, size = records + len(entries), size + len(batch)
        if records > MAX_PUBLISH or size > MAX_BYTES:
            raise InvalidInput(
                f"Transaction {name} would hold {records} records and {size} bytes.",
                remedy=f"At most {MAX_PUBLISH} and {MAX_BYTES}: commit it, and go on in another one.",
            )
        ((places,),) = await tx.read(sql.PLACES, {"wanted": name})
        row = {"transaction_id": name, "place": places, "topic": place[0], "partition": place[1], "batch": batch}
        await tx.write(sql.WAIT, row)
        await tx.write(sql.GROW, {"wanted": name, "new_records": records, "new_bytes": size})

    async def _end(self, tx: Transaction, name: str, state: str, now: str) -> None:
        await tx.write(sql.DROP_WAITING, {"wanted": name})
        await tx.write(sql.END, {"wanted": name, "new_state": state, "now": now})

    async def _give_up(self, tx: Transaction, producer: int, *, forget: bool) -> None:
        for name, _, _ in await tx.read(sql.OF_PRODUCER, {"of_producer": producer}):
            await tx.write(sql.DROP_WAITING, {"wanted": name})
            if forget:
                await tx.write(sql.FORGET_ENDED, {"wanted": name})


def _seen_before(sequence: int, following: int, count: int) -> int:
    """Give how many of the records came before. Raises Conflict when some between were never seen."""
    if sequence > following:
        raise Conflict(
            f"The sequence goes on with {following}, not {sequence}.",
            field="base_sequence",
            remedy="Send what is missing, or begin with InitProducer.",
        )
    return min(following - sequence, count)


def _must_be_open(name: str, state: str) -> None:
    if state != OPEN:
        told = "was committed" if state == COMMITTED else "was given up, or took too long"
        raise Conflict(f"Transaction {name} {told}.", field="transaction_id", remedy="Begin another one.")
