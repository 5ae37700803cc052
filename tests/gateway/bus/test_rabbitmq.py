"""What RabbitMQ does to us: it is killed, hangs, cuts connections, refuses, and holds messages of any size."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pika
import pytest
from structlog.testing import capture_logs

from gateway.bus.amqp_link import LinkSettings
from gateway.bus.base import (
    DEAD_QUEUE,
    NACKED,
    ORDERS_EXCHANGE,
    ORDERS_QUEUE,
    Bus,
    Consumer,
    Delivery,
    Outgoing,
    Publisher,
)
from gateway.bus.rabbitmq import RabbitBus
from gateway.clock import SystemClock
from schemas.errors import BusUnavailable, ConfigurationError
from simulators.servers import RabbitServer

pytestmark = pytest.mark.servers

PATIENCE_S = 30.0
"""How long a test waits for what must come; nothing measures it."""

WRITTEN_AFTER_S = 2.0
"""Age of a queue before its broker is killed: on 3.10.8 one of 0.6 s never served again, one of 1.5 s did."""

HUGE_BYTES = 200 * 1024 * 1024
"""A message that somebody sends by mistake or on purpose."""


@pytest.fixture
def settings(rabbit_url: str) -> LinkSettings:
    """Return how to reach an empty vhost, with little patience."""
    return LinkSettings(rabbit_url, patience_s=0.5, reconnect_s_max=0.5)


@pytest.fixture
def connect() -> Iterator[Callable[..., RabbitBus]]:
    """Return what opens a bus, and close it at the end."""
    opened: list[RabbitBus] = []

    def open_bus(settings: LinkSettings, **limits: int) -> RabbitBus:
        opened.append(RabbitBus(settings, SystemClock(), **limits))
        return opened[-1]

    yield open_bus
    for one in opened:
        one.close()


def orders(*numbers: int) -> list[Outgoing]:
    """Return order messages."""
    return [Outgoing(ORDERS_EXCHANGE, "orders.fmis", b"body %d" % number, f"m{number}") for number in numbers]


def publish_until_taken(publisher: Publisher, messages: list[Outgoing]) -> None:
    """Publish as the relay does: the same again while the broker is away."""
    limit = time.monotonic() + PATIENCE_S
    while True:
        try:
            assert publisher.publish(messages) == []
        except BusUnavailable:
            assert time.monotonic() < limit, "the broker did not come back"
        else:
            return


def receive_patiently(consumer: Consumer, limit: int = 100) -> list[Delivery]:
    """Receive as a worker does: again while the broker is away."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return consumer.receive(limit, 1.0)
        except BusUnavailable:
            assert time.monotonic() < end, "the broker did not come back"


def take(consumer: Consumer, number: int) -> list[Delivery]:
    """Receive exactly so many messages."""
    taken: list[Delivery] = []
    while len(taken) < number:
        taken += receive_patiently(consumer, number - len(taken))
    return taken


def drain(consumer: Consumer, wanted: set[str]) -> list[Delivery]:
    """Receive and acknowledge until all that is wanted was seen; return everything that came."""
    seen: list[Delivery] = []
    end = time.monotonic() + PATIENCE_S
    while not wanted <= {delivery.message_id for delivery in seen}:
        assert time.monotonic() < end, f"lost: {sorted(wanted - {delivery.message_id for delivery in seen})}"
        deliveries = receive_patiently(consumer)
        consumer.acknowledge(deliveries)
        seen += deliveries
    return seen


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.05)


def refuses(action: Callable[[], object]) -> bool:
    """Tell whether the broker is away for this."""
    try:
        action()
    except BusUnavailable:
        return True
    return False


def put(url: str, queue: str, body: bytes, message_id: str) -> None:
    """Publish past the gateway's own limits, as a stranger could."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", queue, body, pika.BasicProperties(message_id=message_id, delivery_mode=2))
    connection.close()


def test_nothing_is_lost_when_the_broker_is_killed(own_rabbit: RabbitServer, connect: Callable[..., RabbitBus]) -> None:
    """A broker that crashes in the middle of publishing and consuming may double messages, but not lose one."""
    bus = connect(LinkSettings(own_rabbit.url, patience_s=1.0, reconnect_s_max=0.5))
    bus.declare([])
    time.sleep(WRITTEN_AFTER_S)
    publisher, consumer = bus.publisher(), bus.consumer(ORDERS_QUEUE, 100)
    rounds, size = 60, 50

    def publish_all() -> None:
        for start in range(0, rounds * size, size):
            publish_until_taken(publisher, orders(*range(start, start + size)))

    filling = threading.Thread(target=publish_all)
    filling.start()
    first = receive_patiently(consumer)
    with capture_logs() as logs:
        own_rabbit.kill()
        consumer.acknowledge(first)
        own_rabbit.start()
        seen = drain(consumer, {f"m{number}" for number in range(size, rounds * size)})
        filling.join(PATIENCE_S)
    everything = {delivery.message_id for delivery in first + seen}
    assert everything == {f"m{number}" for number in range(rounds * size)}
    said = {line["event"] for line in logs}
    assert {"broker away: waiting for it", "broker connected again"} <= said


def test_a_cut_connection_is_opened_again(own_rabbit: RabbitServer, connect: Callable[..., RabbitBus]) -> None:
    """A firewall or an administrator ends connections; what was unsettled comes again, marked as such."""
    bus = connect(LinkSettings(own_rabbit.url, reconnect_s_max=0.5))
    bus.declare([])
    publisher, consumer = bus.publisher(), bus.consumer(ORDERS_QUEUE, 100)
    publish_until_taken(publisher, orders(1, 2))
    before = take(consumer, 2)
    own_rabbit.control("close_all_connections", "maintenance")
    again = drain(consumer, {"m1", "m2"})
    assert all(delivery.redelivered for delivery in again)
    assert {delivery.tag for delivery in before}.isdisjoint(delivery.tag for delivery in again)
    publish_until_taken(publisher, orders(3))
    drain(consumer, {"m3"})


def test_settling_what_came_by_a_lost_connection_changes_nothing(
    own_rabbit: RabbitServer, connect: Callable[..., RabbitBus]
) -> None:
    """The broker counts deliveries anew on each channel, so an old acknowledgement would settle another message."""
    bus = connect(LinkSettings(own_rabbit.url, reconnect_s_max=0.5))
    bus.declare([])
    consumer = bus.consumer(ORDERS_QUEUE, 100)
    publish_until_taken(bus.publisher(), orders(1, 2))
    old = take(consumer, 2)
    own_rabbit.control("close_all_connections", "maintenance")
    take(consumer, 2)
    consumer.acknowledge(old)
    consumer.retry(old, "too late")
    consumer.dead_letter(old[0], "too late")
    consumer.close()
    eventually(lambda: bus.depth(ORDERS_QUEUE) == len(old))
    assert bus.depth(DEAD_QUEUE) == 0


def test_work_that_outlasts_the_heartbeat_keeps_its_deliveries(
    settings: LinkSettings, connect: Callable[..., RabbitBus]
) -> None:
    """A handler of 60 s with the default heartbeat is this with another unit: the link's thread answers meanwhile."""
    bus = connect(replace(settings, heartbeat_s=1))
    bus.declare([])
    consumer, publisher = bus.consumer(ORDERS_QUEUE, 100), bus.publisher()
    publish_until_taken(publisher, orders(1))
    [delivery] = consumer.receive(10, PATIENCE_S)
    with capture_logs() as logs:
        time.sleep(4)
        consumer.acknowledge([delivery])
        assert publisher.publish(orders(2)) == []
        [other] = consumer.receive(10, PATIENCE_S)
    assert (other.message_id, other.redelivered) == ("m2", False)
    assert logs == []


def test_a_huge_message_is_buried_and_the_next_one_served(
    rabbit_url: str, settings: LinkSettings, connect: Callable[..., RabbitBus]
) -> None:
    """A 200 MB message must neither fill the worker's memory nor stop the queue; the operator finds it named."""
    bus = connect(settings)
    bus.declare([])
    put(rabbit_url, ORDERS_QUEUE, bytes(HUGE_BYTES), "huge")
    publish_until_taken(bus.publisher(), orders(1))
    with capture_logs() as logs:
        drain(bus.consumer(ORDERS_QUEUE, 10), {"m1"})
    assert [line["size_bytes"] for line in logs if line["event"].startswith("message too large")] == [HUGE_BYTES]
    eventually(lambda: bus.depth(DEAD_QUEUE) == 1)
    [letter] = bus.dead_letters(10)
    assert (letter.message_id, letter.queue, letter.body) == ("huge", ORDERS_QUEUE, b"")
    assert str(HUGE_BYTES) in letter.reason
    assert bus.replay([]) == 0
    eventually(lambda: bus.depth(DEAD_QUEUE) == 1)


def test_a_message_that_kills_its_workers_is_buried_by_the_broker(
    settings: LinkSettings, connect: Callable[..., RabbitBus]
) -> None:
    """Whoever dies of a message cannot count it; the broker does, and the message stops coming, but is kept."""
    bus = connect(settings)
    bus.declare([])
    publish_until_taken(bus.publisher(), orders(1))
    deaths = 0
    while bus.depth(DEAD_QUEUE) == 0:
        consumer = bus.consumer(ORDERS_QUEUE, 10)
        deaths += len(consumer.receive(10, 0.3))
        consumer.close()
        assert deaths < 30
    [letter] = bus.dead_letters(10)
    assert (letter.message_id, letter.queue, letter.routing_key) == ("m1", ORDERS_QUEUE, "orders.fmis")
    assert "delivery_limit" in letter.reason
    assert letter.first_failure == letter.last_failure != ""
    assert bus.replay(["m1"]) == 1
    [delivery] = bus.consumer(ORDERS_QUEUE, 10).receive(10, PATIENCE_S)
    assert (delivery.routing_key, delivery.attempts, delivery.headers) == ("orders.fmis", 0, {})


def test_a_broker_that_hangs_is_given_up(own_rabbit: RabbitServer, connect: Callable[..., RabbitBus]) -> None:
    """A frozen machine keeps connections open and answers nothing: that is away, too."""
    bus = connect(LinkSettings(own_rabbit.url, confirm_s=0.5, patience_s=0.5, connect_s=1.0, reconnect_s_max=0.5))
    bus.declare([])
    publisher = bus.publisher()
    publish_until_taken(publisher, orders(1))
    own_rabbit.suspend()
    try:
        with pytest.raises(BusUnavailable, match="confirmed nothing"):
            publisher.publish(orders(2))
        with pytest.raises(BusUnavailable):
            publisher.publish(orders(2))
        with pytest.raises(BusUnavailable):
            bus.depth(ORDERS_QUEUE)
    finally:
        own_rabbit.resume()
    publish_until_taken(publisher, orders(2))
    drain(bus.consumer(ORDERS_QUEUE, 10), {"m1", "m2"})


def test_a_broker_out_of_memory_is_away(own_rabbit: RabbitServer, connect: Callable[..., RabbitBus]) -> None:
    """With its memory or disk alarm on, the broker takes nothing; publishing must not wait for ever."""
    bus = connect(LinkSettings(own_rabbit.url, blocked_s=1.0, confirm_s=5.0, reconnect_s_max=0.5))
    bus.declare([])
    publisher = bus.publisher()
    publish_until_taken(publisher, orders(1))
    own_rabbit.control("set_vm_memory_high_watermark", "0.00001")
    eventually(lambda: refuses(lambda: publisher.publish(orders(2))))
    own_rabbit.control("set_vm_memory_high_watermark", "0.4")
    publish_until_taken(publisher, orders(2))
    drain(bus.consumer(ORDERS_QUEUE, 10), {"m1", "m2"})


def test_a_broker_that_is_not_there_is_away(connect: Callable[..., RabbitBus]) -> None:
    """The gateway starts before its broker and waits; none of pika's errors is seen."""
    bus: Bus = connect(LinkSettings("amqp://gateway:secret@127.0.0.1:1/", patience_s=0.2))
    consumer, publisher = bus.consumer(ORDERS_QUEUE, 10), bus.publisher()
    attempts: list[Callable[[], object]] = [
        lambda: bus.declare([]),
        lambda: bus.bind_events("events.fmis", "#"),
        lambda: bus.depth(ORDERS_QUEUE),
        lambda: bus.dead_letters(10),
        lambda: bus.replay([]),
        lambda: consumer.receive(10, 0.1),
        lambda: publisher.publish(orders(1)),
    ]
    for attempt in attempts:
        with pytest.raises(BusUnavailable) as raised:
            attempt()
        assert "secret" not in str(raised.value)
        assert "127.0.0.1:1" in str(raised.value)


def test_a_wrong_password_is_named(rabbit: RabbitServer, connect: Callable[..., RabbitBus]) -> None:
    """The log line must tell the operator why the broker cannot be reached, without the password."""
    url = f"amqp://gateway:wrong-password@127.0.0.1:{rabbit.port}/"
    with pytest.raises(BusUnavailable, match=r"(?i)auth|refused") as raised:
        connect(LinkSettings(url)).depth(ORDERS_QUEUE)
    assert "wrong-password" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://gateway:secret@broker/", "amqp://gateway:secret@broker:port/", ""])
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    """A wrong configuration is found at the start, and its message may go into a ticket."""
    with pytest.raises(ConfigurationError) as raised:
        RabbitBus(url, SystemClock())
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(LinkSettings(url))


def test_a_queue_of_another_kind_is_refused(
    rabbit_url: str, settings: LinkSettings, connect: Callable[..., RabbitBus]
) -> None:
    """A classic queue left by an older installation would not keep what we promise."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbit_url))
    connection.channel().queue_declare(ORDERS_QUEUE, durable=True)
    connection.close()
    with pytest.raises(ConfigurationError, match="406"):
        connect(settings).declare([])


def test_a_refused_message_is_reported_as_nacked(
    rabbit_url: str, settings: LinkSettings, connect: Callable[..., RabbitBus]
) -> None:
    """A full queue refuses; the relay keeps the message and tries again."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbit_url))
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    connection.channel().queue_declare("full", durable=True, arguments=full)
    connection.close()
    messages = [replace(message, exchange="", routing_key="full") for message in orders(1, 2, 3)]
    refused = connect(settings).publisher().publish(messages)
    assert [(one.index, one.reason) for one in refused] == [(1, NACKED), (2, NACKED)]


def test_a_message_that_cannot_be_buried_comes_again(
    rabbit_url: str, settings: LinkSettings, connect: Callable[..., RabbitBus]
) -> None:
    """Without a dead-letter queue a message must stay where it is, and the operator must hear of it."""
    bus = connect(settings)
    bus.declare([])
    connection = pika.BlockingConnection(pika.URLParameters(rabbit_url))
    connection.channel().queue_delete(DEAD_QUEUE)
    connection.close()
    publish_until_taken(bus.publisher(), orders(1))
    consumer = bus.consumer(ORDERS_QUEUE, 10)
    [delivery] = consumer.receive(10, PATIENCE_S)
    with pytest.raises(BusUnavailable, match="unroutable"):
        consumer.dead_letter(delivery, "no")
    [again] = consumer.receive(10, PATIENCE_S)
    assert (again.message_id, again.redelivered) == ("m1", True)
    bus.declare([])
    consumer.dead_letter(again, "no")
    assert [letter.reason for letter in bus.dead_letters(10)] == ["no"]


def test_a_queue_deleted_meanwhile_is_missed_until_it_is_back(
    rabbit_url: str, settings: LinkSettings, connect: Callable[..., RabbitBus]
) -> None:
    """A consumer whose queue is deleted would else wait in silence."""
    bus = connect(settings)
    bus.declare([])
    consumer = bus.consumer(ORDERS_QUEUE, 10)
    connection = pika.BlockingConnection(pika.URLParameters(rabbit_url))
    connection.channel().queue_delete(ORDERS_QUEUE)
    connection.close()
    eventually(lambda: refuses(lambda: consumer.receive(10, 0.1)))
    bus.declare([])
    publish_until_taken(bus.publisher(), orders(1))
    drain(consumer, {"m1"})


def test_more_than_the_window_is_confirmed_to_the_last(
    settings: LinkSettings, connect: Callable[..., RabbitBus]
) -> None:
    """The window bounds what is in flight, not what is published."""
    bus = connect(settings, window_messages=10)
    bus.declare([])
    assert bus.publisher().publish(orders(*range(1000))) == []
    eventually(lambda: bus.depth(ORDERS_QUEUE) == 1000)
