"""What every bus promises; each test runs over the in-process bus and over RabbitMQ."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from gateway.bus.base import (
    BANK_EXCHANGE,
    DEAD_QUEUE,
    EVENTS_EXCHANGE,
    ORDERS_EXCHANGE,
    ORDERS_QUEUE,
    REASON_CHARACTERS_MAX,
    RECEIPTS_EXCHANGE,
    RECEIPTS_QUEUE,
    RETRY_LIMIT,
    TOO_LARGE,
    UNROUTABLE,
    Bus,
    Consumer,
    Delivery,
    Outgoing,
    bank_queues,
)
from schemas.errors import BusUnavailable, ConfigurationError

PATIENCE_S = 10.0
"""How long a test waits for what must come; nothing measures it."""

QUIET_S = 0.2
"""How long a test waits for what must not come."""


@pytest.fixture
def declared(bus: Bus) -> Bus:
    """Return a bus with its topology, and two banks."""
    bus.declare(["alpha", "beta"])
    return bus


def order(number: int, **changes: object) -> Outgoing:
    """Return an order message."""
    fields = {
        "exchange": ORDERS_EXCHANGE,
        "routing_key": "orders.fmis",
        "body": b"body %d" % number,
        "message_id": f"message-{number}",
        "headers": {"jws": f"signature {number}"},
    }
    return Outgoing(**{**fields, **changes})  # type: ignore[arg-type]  # the fields are checked by the class itself


def publish(bus: Bus, *messages: Outgoing) -> None:
    """Publish messages that must all be taken."""
    publisher = bus.publisher()
    assert publisher.publish(messages) == []
    publisher.close()


def take(consumer: Consumer, number: int) -> list[Delivery]:
    """Receive exactly so many messages."""
    taken: list[Delivery] = []
    while len(taken) < number:
        more = consumer.receive(number - len(taken), PATIENCE_S)
        assert more, f"{number - len(taken)} of {number} messages did not come"
        taken += more
    return taken


def numbers(deliveries: Sequence[Delivery]) -> list[str]:
    """Return the ids of messages without what they have in common."""
    return [delivery.message_id.removeprefix("message-") for delivery in deliveries]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds: a broker settles in its own time."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    pytest.fail("it never came to hold")


def test_a_message_arrives_as_it_was_published(declared: Bus) -> None:
    """The signature covers the bytes, so body and headers must come through untouched."""
    body = bytes(range(256))
    publish(declared, order(1, body=body, headers={"jws": "eyJ..x", "source": "ខ្មែរ"}))
    [delivery] = take(declared.consumer(ORDERS_QUEUE, 10), 1)
    assert delivery.body == body
    assert delivery.headers == {"jws": "eyJ..x", "source": "ខ្មែរ"}
    assert (delivery.message_id, delivery.routing_key, delivery.queue) == ("message-1", "orders.fmis", ORDERS_QUEUE)
    assert (delivery.attempts, delivery.redelivered) == (0, False)


def test_bills_have_a_queue_of_their_own(declared: Bus) -> None:
    """A year's bills do not stand before the day's payments."""
    publish(declared, order(1), order(2, exchange=RECEIPTS_EXCHANGE, routing_key="receipts.ntr"))
    assert [d.message_id for d in take(declared.consumer(RECEIPTS_QUEUE, 10), 1)] == ["message-2"]
    assert [d.message_id for d in take(declared.consumer(ORDERS_QUEUE, 10), 1)] == ["message-1"]


def test_an_empty_body_arrives(declared: Bus) -> None:
    """Nothing is a body too; it is the intake's business to refuse it."""
    publish(declared, order(1, body=b"", headers={}))
    assert take(declared.consumer(ORDERS_QUEUE, 10), 1)[0].body == b""


def test_messages_arrive_in_the_order_of_their_publication(declared: Bus) -> None:
    """Chunks of a batch follow each other, and an operator reads them in that order."""
    publish(declared, *(order(number) for number in range(200)))
    assert numbers(take(declared.consumer(ORDERS_QUEUE, 200), 200)) == [str(number) for number in range(200)]


def test_a_batch_is_never_larger_than_asked_for(declared: Bus) -> None:
    """The limit bounds a database transaction."""
    publish(declared, *(order(number) for number in range(20)))
    consumer = declared.consumer(ORDERS_QUEUE, 20)
    eventually(lambda: declared.depth(ORDERS_QUEUE) in {0, 20})
    assert 1 <= len(consumer.receive(7, PATIENCE_S)) <= 7


def test_no_more_than_the_prefetch_is_unsettled(declared: Bus) -> None:
    """The prefetch bounds what one worker holds, so that others get their share."""
    publish(declared, *(order(number) for number in range(10)))
    consumer = declared.consumer(ORDERS_QUEUE, 4)
    first = take(consumer, 4)
    assert consumer.receive(10, QUIET_S) == []
    assert declared.depth(ORDERS_QUEUE) == 6
    consumer.acknowledge(first[:1])
    assert numbers(take(consumer, 1)) == ["4"]


def test_an_empty_queue_gives_an_empty_batch(declared: Bus) -> None:
    """Nothing to do is an expected outcome, not an error."""
    assert declared.consumer(ORDERS_QUEUE, 10).receive(10, 0) == []


def test_what_was_not_settled_is_delivered_again(declared: Bus) -> None:
    """A worker that dies between receipt and commit loses nothing."""
    publish(declared, *(order(number) for number in range(5)))
    first = declared.consumer(ORDERS_QUEUE, 10)
    first.acknowledge(take(first, 5)[:2])
    first.close()
    again = take(declared.consumer(ORDERS_QUEUE, 10), 3)
    assert numbers(again) == ["2", "3", "4"]
    assert all(delivery.redelivered for delivery in again)
    assert [delivery.attempts for delivery in again] == [0, 0, 0]


def test_what_was_acknowledged_never_comes_again(declared: Bus) -> None:
    """The acknowledgement after the commit is final."""
    publish(declared, *(order(number) for number in range(50)))
    consumer = declared.consumer(ORDERS_QUEUE, 100)
    consumer.acknowledge(take(consumer, 50))
    consumer.close()
    assert declared.depth(ORDERS_QUEUE) == 0
    assert declared.consumer(ORDERS_QUEUE, 100).receive(100, QUIET_S) == []


def test_an_acknowledgement_settles_only_what_it_names(declared: Bus) -> None:
    """One acknowledgement for many must not take along a message that is still in work."""
    publish(declared, *(order(number) for number in range(10)))
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    taken = take(consumer, 10)
    consumer.acknowledge([taken[number] for number in (9, 5, 0, 1, 2)])
    consumer.close()
    assert numbers(take(declared.consumer(ORDERS_QUEUE, 10), 5)) == ["3", "4", "6", "7", "8"]


def test_settling_twice_changes_nothing(declared: Bus) -> None:
    """A flow that settles again after an error must not break the channel for the others."""
    publish(declared, order(1), order(2))
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    [first, second] = take(consumer, 2)
    consumer.acknowledge([first])
    consumer.acknowledge([first])
    consumer.dead_letter(first, "too late")
    consumer.retry([first], "too late")
    consumer.acknowledge([second])
    publish(declared, order(3))
    assert numbers(take(consumer, 1)) == ["3"]
    assert declared.dead_letters(10) == []


def test_a_dead_letter_keeps_its_reason_and_its_origin(declared: Bus) -> None:
    """An operator must see what failed, where, why and when, without reading logs."""
    publish(declared, order(1), order(2))
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    bad, good = take(consumer, 2)
    consumer.dead_letter(bad, "FF01 at $.version: wrong version")
    consumer.acknowledge([good])
    [letter] = declared.dead_letters(10)
    assert (letter.message_id, letter.queue, letter.routing_key) == ("message-1", ORDERS_QUEUE, "orders.fmis")
    assert (letter.reason, letter.attempts) == ("FF01 at $.version: wrong version", 1)
    assert letter.first_failure == letter.last_failure != ""
    assert (letter.body, letter.headers) == (b"body 1", {"jws": "signature 1"})


def test_a_long_reason_is_cut(declared: Bus) -> None:
    """The reason travels in a header, and an error may quote a whole document."""
    publish(declared, order(1))
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    consumer.dead_letter(take(consumer, 1)[0], "x" * 1_000_000)
    assert declared.dead_letters(1)[0].reason == "x" * REASON_CHARACTERS_MAX


def test_looking_at_dead_letters_leaves_them_in_their_order(declared: Bus) -> None:
    """Looking is safe, however often, and the oldest comes first."""
    publish(declared, *(order(number) for number in range(5)))
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    for delivery in take(consumer, 5):
        consumer.dead_letter(delivery, "no")
    for _ in range(25):
        eventually(lambda: declared.depth(DEAD_QUEUE) == 5)
        assert [letter.message_id for letter in declared.dead_letters(3)] == ["message-0", "message-1", "message-2"]


def test_a_retry_comes_again_and_is_counted(declared: Bus) -> None:
    """The count is the gateway's own, because brokers differ in what they count."""
    publish(declared, order(1))
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    [delivery] = take(consumer, 1)
    consumer.retry([delivery], "the database is away")
    [again] = take(consumer, 1)
    assert (again.attempts, again.redelivered) == (1, False)
    assert (again.body, again.headers, again.routing_key) == (b"body 1", {"jws": "signature 1"}, "orders.fmis")


def test_a_retry_goes_behind_what_waits(declared: Bus) -> None:
    """A message that fails must not hold up the others."""
    publish(declared, *(order(number) for number in range(4)))
    consumer = declared.consumer(ORDERS_QUEUE, 2)
    consumer.retry(take(consumer, 2), "later")
    seen: list[Delivery] = []
    while len(seen) < 4:
        more = take(consumer, 1)
        consumer.acknowledge(more)
        seen += more
    assert numbers(seen) == ["2", "3", "0", "1"]


def test_past_the_limit_a_retry_is_a_dead_letter(declared: Bus) -> None:
    """A message that never works stops coming back, and is kept."""
    publish(declared, order(1))
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    for attempt in range(RETRY_LIMIT + 1):
        [delivery] = take(consumer, 1)
        assert delivery.attempts == attempt
        consumer.retry([delivery], f"failure {attempt}")
    assert consumer.receive(10, QUIET_S) == []
    [letter] = declared.dead_letters(10)
    assert (letter.attempts, letter.reason) == (RETRY_LIMIT + 1, f"failure {RETRY_LIMIT}")
    assert letter.queue == ORDERS_QUEUE


def test_a_replayed_message_starts_anew_in_its_queue(declared: Bus) -> None:
    """After the cause is repaired the message is like one that just came."""
    out, _ = bank_queues("alpha")
    publish(declared, order(1, exchange=BANK_EXCHANGE, routing_key=out), order(2))
    for queue in (out, ORDERS_QUEUE):
        consumer = declared.consumer(queue, 10)
        consumer.retry(take(consumer, 1), "once")
        consumer.dead_letter(take(consumer, 1)[0], "no")
        consumer.close()
    assert declared.replay([]) == 2
    assert declared.depth(DEAD_QUEUE) == 0
    [bank] = take(declared.consumer(out, 10), 1)
    [source] = take(declared.consumer(ORDERS_QUEUE, 10), 1)
    assert (bank.message_id, bank.routing_key, bank.attempts) == ("message-1", out, 0)
    assert (source.message_id, source.routing_key, source.attempts) == ("message-2", "orders.fmis", 0)
    assert source.headers == {"jws": "signature 2"}


def test_only_the_named_dead_letters_are_replayed(declared: Bus) -> None:
    """An operator repairs one cause at a time."""
    publish(declared, *(order(number) for number in range(4)))
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    for delivery in take(consumer, 4):
        consumer.dead_letter(delivery, "no")
    assert declared.replay(["message-1", "message-3", "unknown"]) == 2
    assert numbers(take(consumer, 2)) == ["1", "3"]
    eventually(lambda: declared.depth(DEAD_QUEUE) == 2)
    assert [letter.message_id for letter in declared.dead_letters(10)] == ["message-0", "message-2"]


def test_a_replay_that_fails_again_is_a_dead_letter_again(declared: Bus) -> None:
    """A replay before the repair must end, and lose nothing."""
    publish(declared, order(1))
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    for _ in range(3):
        consumer.dead_letter(take(consumer, 1)[0], "still no")
        assert declared.replay([]) == 1
    consumer.dead_letter(take(consumer, 1)[0], "still no")
    assert [letter.attempts for letter in declared.dead_letters(10)] == [1]


def test_what_no_queue_wants_is_reported(declared: Bus) -> None:
    """A message that goes nowhere must not be taken for delivered; the others of its batch are."""
    publisher = declared.publisher()
    stray = order(2, exchange=BANK_EXCHANGE, routing_key="bank.nobody.out")
    refused = publisher.publish([order(1), stray, order(3), stray, stray])
    assert [(one.index, one.reason) for one in refused] == [(1, UNROUTABLE), (3, UNROUTABLE), (4, UNROUTABLE)]
    assert numbers(take(declared.consumer(ORDERS_QUEUE, 10), 2)) == ["1", "3"]


def test_a_body_beyond_the_limit_is_not_published(declared: Bus) -> None:
    """A broker closes the channel on one that is too large, and takes all others along; so it is never sent."""
    refused = declared.publisher().publish([order(1, body=bytes(16 * 1024 * 1024 + 1)), order(2)])
    assert [(one.index, one.reason) for one in refused] == [(0, TOO_LARGE)]
    assert numbers(take(declared.consumer(ORDERS_QUEUE, 10), 1)) == ["2"]


def test_a_large_body_arrives_whole(declared: Bus) -> None:
    """A statement of many megabytes travels in one message."""
    body = bytes(range(256)) * 20_000
    publish(declared, order(1, body=body))
    assert take(declared.consumer(ORDERS_QUEUE, 10), 1)[0].body == body


def test_publishing_nothing_is_nothing(declared: Bus) -> None:
    """An outbox that is empty needs no special case."""
    assert declared.publisher().publish([]) == []


def test_each_bank_has_queues_of_its_own(declared: Bus) -> None:
    """A bank sees its own messages and no other's."""
    for queue in (*bank_queues("alpha"), *bank_queues("beta")):
        publish(declared, order(1, exchange=BANK_EXCHANGE, routing_key=queue, message_id=queue))
    for queue in (*bank_queues("alpha"), *bank_queues("beta")):
        assert [delivery.message_id for delivery in take(declared.consumer(queue, 10), 1)] == [queue]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.fmis", ["payment.fmis", "batch.fmis"]),
        ("payment.*", ["payment.fmis", "payment.salary"]),
        ("#", ["payment.fmis", "payment.salary", "batch.fmis", "payment.settled.debt"]),
        ("payment.#", ["payment.fmis", "payment.salary", "payment.settled.debt"]),
        ("#.debt", ["payment.settled.debt"]),
        ("payment.fmis", ["payment.fmis"]),
    ],
)
def test_a_source_gets_the_events_that_match_its_pattern(declared: Bus, pattern: str, wanted: list[str]) -> None:
    """Topic patterns: ``*`` is one word, ``#`` any number; the rest goes to whom it concerns."""
    declared.bind_events("events.everybody", "#")
    declared.bind_events("events.some", pattern)
    keys = ["payment.fmis", "payment.salary", "batch.fmis", "payment.settled.debt"]
    publish(declared, *(order(0, exchange=EVENTS_EXCHANGE, routing_key=key) for key in keys))
    taken = take(declared.consumer("events.some", 10), len(wanted))
    assert [delivery.routing_key for delivery in taken] == wanted
    assert declared.depth("events.some") == 0
    assert declared.depth("events.everybody") == len(keys)


def test_two_patterns_of_one_queue_deliver_once(declared: Bus) -> None:
    """A queue gets a message once, however many of its patterns match."""
    declared.bind_events("events.fmis", "*.fmis")
    declared.bind_events("events.fmis", "payment.*")
    publish(declared, order(1, exchange=EVENTS_EXCHANGE, routing_key="payment.fmis"))
    assert declared.depth("events.fmis") == 1


def test_declaring_again_keeps_what_is_there(declared: Bus) -> None:
    """Every process declares at its start."""
    publish(declared, order(1))
    declared.declare(["alpha", "beta", "gamma"])
    declared.bind_events("events.fmis", "*.fmis")
    declared.bind_events("events.fmis", "*.fmis")
    assert declared.depth(ORDERS_QUEUE) == 1
    assert declared.depth(bank_queues("gamma")[0]) == 0


def test_a_queue_that_was_not_declared_is_a_configuration_error(declared: Bus) -> None:
    """A wrong name must be seen at the start, not by silence."""
    with pytest.raises(ConfigurationError):
        declared.consumer("gateway.ordres", 10)
    with pytest.raises(ConfigurationError):
        declared.depth("gateway.ordres")


def test_competing_consumers_get_each_message_once(declared: Bus) -> None:
    """Any number of workers share a queue; every message is one worker's, from any thread."""
    total, workers = 400, 4
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def work() -> None:
        consumer = declared.consumer(ORDERS_QUEUE, 20)
        while deliveries := consumer.receive(10, 1.0):
            with lock:
                seen.update(delivery.message_id for delivery in deliveries)
            consumer.acknowledge(deliveries)
        consumer.close()

    def fill(start: int) -> None:
        publish(declared, *(order(number) for number in range(start, start + total // workers)))

    starts = range(0, total, total // workers)
    threads = [threading.Thread(target=fill, args=(start,)) for start in starts]
    threads += [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == Counter({f"message-{number}": 1 for number in range(total)})


def test_a_waiting_consumer_is_woken_by_a_message(declared: Bus) -> None:
    """A payment does not wait for the end of a polling interval."""
    consumer = declared.consumer(ORDERS_QUEUE, 10)
    received: list[Delivery] = []
    waiting = threading.Thread(target=lambda: received.extend(consumer.receive(10, PATIENCE_S)))
    waiting.start()
    publish(declared, order(1))
    waiting.join(PATIENCE_S)
    assert numbers(received) == ["1"]


def test_a_closed_bus_says_so(declared: Bus) -> None:
    """Work on a closed bus must end, not wait for ever."""
    consumer, publisher = declared.consumer(ORDERS_QUEUE, 10), declared.publisher()
    declared.close()
    with pytest.raises(BusUnavailable):
        consumer.receive(10, 0)
    with pytest.raises(BusUnavailable):
        publisher.publish([order(1)])
