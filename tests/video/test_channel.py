"""A bounded queue with an end: order, bound, and both sides stopping."""

import threading
import time

import pytest

from efficientpose.video.pipeline import Channel, ChannelClosedError


def test_order_and_end():
    channel = Channel(size=100)
    for item in range(50):
        channel.put(item)
    channel.end()
    assert list(channel) == list(range(50))
    assert list(channel) == []


def test_a_writer_waits_while_it_is_full():
    channel = Channel(size=3)
    written = []

    def write():
        for item in range(10):
            channel.put(item)
            written.append(item)
        channel.end()

    writer = threading.Thread(target=write)
    writer.start()
    deadline = time.monotonic() + 5
    while len(written) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert written == [0, 1, 2]
    items = iter(channel)
    assert next(items) == 0
    while len(written) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert written == [0, 1, 2, 3]
    assert list(items) == list(range(1, 10))
    writer.join(timeout=5)
    assert not writer.is_alive()


def test_an_abandoned_channel_frees_a_waiting_writer_and_drops_what_it_holds():
    channel = Channel(size=1)
    channel.put("held")
    closed = threading.Event()

    def write():
        try:
            channel.put("too much")
        except ChannelClosedError:
            closed.set()

    writer = threading.Thread(target=write)
    writer.start()
    channel.abandon()
    writer.join(timeout=5)
    assert closed.is_set()
    assert list(channel) == []
    with pytest.raises(ChannelClosedError):
        channel.put("more")


def test_it_holds_at_least_one():
    with pytest.raises(ValueError, match="a channel holds 1 item or more, not 0"):
        Channel(size=0)
