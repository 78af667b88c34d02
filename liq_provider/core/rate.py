"""At most so many in any span of a given length."""

from collections import deque


class Rate:
    """
    :param limit: how many
    :param span_ms: within this time
    """

    def __init__(self, limit: int, span_ms: int) -> None:
        self.limit = limit
        self._span_ms = span_ms
        self._taken: deque[int] = deque()

    def used(self, now_ms: int) -> int:
        """:return: how many were taken in the span that ends now"""
        while self._taken and self._taken[0] <= now_ms - self._span_ms:
            self._taken.popleft()
        return len(self._taken)

    def free(self, now_ms: int) -> bool:
        """:return: whether one more may be taken"""
        return self.used(now_ms) < self.limit

    def take(self, now_ms: int) -> bool:
        """:return: False, and nothing is taken, if the limit is reached"""
        if not self.free(now_ms):
            return False
        self._taken.append(now_ms)
        return True

    def note(self, at_ms: int, count: int) -> None:
        """So many were taken before, whatever the limit says now; in the order of time."""
        self._taken.extend([at_ms] * count)
