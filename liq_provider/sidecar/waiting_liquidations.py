"""
Liquidations in memory: those that wait, those that a call has in hand, and those of just now.

Feeds add to them, the store's thread takes them, and the disk's thread takes them over. What is
in nobody's hand, neither in the store nor on disk, is here.
"""

from collections import deque
from collections.abc import Sequence
from threading import Lock

from liq_provider.store.booked_minute import Incoming

# What was stored a short while ago is kept, for a store whose file is replaced.
_RECENT_S = 120.0
_MOST_RECENT = 50_000


class WaitingLiquidations:
    """
    :param most: that are held
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._queue: deque[Incoming] = deque()
        self._taken = 0
        # What a call to the store has in hand, and whether that is on disk as well; what is on
        # its way to the disk; and what the store took lately. Several threads change them.
        self._in_hand: list[Incoming] = []
        self._in_hand_saved = False
        self._moving = 0
        self._recent: deque[tuple[float, Incoming]] = deque()
        self._changing = Lock()

    def __bool__(self) -> bool:
        """Whether any wait, or are on their way to the disk."""
        return bool(self._queue or self._moving)

    @property
    def held(self) -> int:
        """How many would be lost if the process were killed now."""
        in_hand = 0 if self._in_hand_saved else len(self._in_hand)
        return len(self._queue) + self._moving + in_hand

    def put(self, orders: Sequence[Incoming]) -> Sequence[Incoming]:
        """:return: those that do not fit: what waits already is nearer to the store"""
        with self._changing:
            room = self._room()
            self._queue.extend(orders[:room])
        return orders[room:]

    def mark(self) -> int:
        """:return: for ``is_behind``: behind the newest that waits"""
        with self._changing:
            return self._taken + len(self._queue)

    def is_behind(self, mark: int) -> bool:
        """:return: whether any that were put before a mark still wait"""
        return self._taken < mark or self._moving > 0

    # -- the store's thread ---------------------------------------------------------------

    def take(self, count: int) -> list[Incoming]:
        """:return: the oldest, which are in hand until they are ``stored`` or given back"""
        with self._changing:
            batch = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
            self._taken += len(batch)
            self._in_hand, self._in_hand_saved = batch, False
        return batch

    def stored(self) -> None:
        """What was in hand is in the store."""
        with self._changing:
            self._in_hand = []

    def give_back(self) -> None:
        """What a call had in hand and did not store waits again, unless it does so on disk."""
        with self._changing:
            if self._in_hand and not self._in_hand_saved:
                self._give(self._in_hand)
            self._in_hand = []

    def remember(self, orders: Sequence[Incoming], now_s: float) -> None:
        """
        The store took them.

        :param now_s: on a clock that nobody sets
        """
        with self._changing:
            self._recent.extend((now_s, order) for order in orders)
            while self._recent and (
                len(self._recent) > _MOST_RECENT or now_s - self._recent[0][0] > _RECENT_S
            ):
                self._recent.popleft()

    def put_again(self) -> int:
        """
        The store is another one: what the old one took lately waits again, as far as there is
        room.

        :return: how many there were
        """
        with self._changing:
            recent = [order for _, order in self._recent]
            self._recent.clear()
            room = self._room()
            self._give(recent[-room:] if room else [])
        return len(recent)

    # -- the disk's thread ----------------------------------------------------------------

    def move_out(self) -> tuple[list[Incoming], list[Incoming]]:
        """:return: what a call has in hand and is not on disk yet, and all that waits"""
        with self._changing:
            copies = [] if self._in_hand_saved else self._in_hand
            moving = list(self._queue)
            self._queue.clear()
            self._taken += len(moving)
            self._moving = len(moving)
        return copies, moving

    def moved_out(self, copies: list[Incoming], left: Sequence[Incoming]) -> None:
        """
        :param copies: of ``move_out``, empty if they are not on disk
        :param left: what did not fit there, and waits here again
        """
        with self._changing:
            self._in_hand_saved |= bool(copies) and self._in_hand is copies
            self._moving = 0
            self._give(left)

    def _room(self) -> int:
        return max(0, self._most - self.held)

    def _give(self, orders: Sequence[Incoming]) -> None:
        self._queue.extendleft(reversed(orders))
        self._taken -= len(orders)
