"""When pictures are shown that come at no constant rate, in a video that has one."""


class OverlayPace:
    """Says how often each picture of a camera is written, so that the video plays in real time.

    A picture is written again while the next is a frame late or more, and not at all where the next is a whole frame
    early; smaller differences are left alone, so that a camera's usual jitter neither doubles nor drops pictures.

    Args:
        rate: Frames per second of the video that is written.
    """

    def __init__(self, *, rate: float) -> None:
        self._rate = rate
        self._start: float | None = None
        self._num_written = 0

    def count_until(self, seconds: float) -> int:
        """Return how often the picture before one of this time is written, that is 0 for the first.

        Args:
            seconds: When the picture was taken; no earlier than the one before.
        """
        if self._start is None:
            self._start = seconds
            return 0
        late = (seconds - self._start) * self._rate - (self._num_written + 1)
        count = 1 + int(late) if late > -1 else 0
        self._num_written += count
        return count
