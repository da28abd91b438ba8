"""Hand things from one thread to the next: in order, at most so many at a time, and either side may stop."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ChannelClosedError(Exception):
    """The reading side takes no more."""


class Channel(Generic[Item]):
    """A bounded queue with an end.

    Args:
        size: How many items it holds; a writer waits while it is full.

    Raises:
        ValueError: If it is less than 1.
    """

    def __init__(self, *, size: int) -> None:
        if size < 1:
            raise ValueError(f"a channel holds 1 item or more, not {size}")
        self._size = size
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._abandoned = False

    def put(self, item: Item) -> None:
        """Add an item, waiting for room.

        Raises:
            ChannelClosedError: If the reading side has stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._size or self._abandoned)
            if self._abandoned:
                raise ChannelClosedError
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that nothing more comes; what is in the channel can still be read."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Stop reading: what is in the channel is dropped and writers are told."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """Yield items in the order they were put, waiting for them, until the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended or self._abandoned)
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
