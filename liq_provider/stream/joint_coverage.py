"""What a venue's lines heard together: a time counts if all of them heard it."""

from collections.abc import Sequence

from liq_provider.core.coverage import CoverageTracker


class LineCoverage:
    """
    What one line heard, in the words of ``CoverageTracker``.

    :ivar counts: whether nothing is known without it; a line that is added while the others are
        heard counts from its first beginning
    """

    def __init__(self, joint: "JointCoverage", counts: bool) -> None:
        self._joint = joint
        self.counts = counts
        self.since_ms: int | None = None
        self.proven_ms = 0

    def begin(self, ms: int) -> None:
        """It is fully subscribed from ``ms`` on. Ignored while a span is open."""
        self.counts = True
        if self.since_ms is None:
            self.since_ms = self.proven_ms = ms
            self._joint.begin()

    def prove(self, sent_ms: int, handled_ms: int) -> None:
        """
        :param sent_ms: everything up to then has arrived
        :param handled_ms: when that was known, with all of it handled
        """
        if self.since_ms is not None and sent_ms > self.proven_ms:
            self.proven_ms = sent_ms
            self._joint.prove(handled_ms)

    def lose(self) -> None:
        """It is gone or not to be believed."""
        self.since_ms = None
        if self.counts:
            self._joint.lose()


class JointCoverage:
    """
    :param tracker: the venue's
    """

    def __init__(self, tracker: CoverageTracker) -> None:
        self._tracker = tracker
        self._shares: list[LineCoverage] = []

    def share(self) -> LineCoverage:
        """:return: of one more line"""
        share = LineCoverage(self, counts=not self._tracker.covering)
        self._shares.append(share)
        return share

    def drop(self, share: LineCoverage, now_ms: int) -> None:
        """Its line is not needed any more; what was missing because of it stays unknown."""
        self._shares.remove(share)
        share.counts = False
        if self._counting():
            self._tracker.begin(now_ms)

    def _counting(self) -> Sequence[LineCoverage]:
        """Those that count, if all of them are heard; else none."""
        counting = [share for share in self._shares if share.counts]
        return () if any(share.since_ms is None for share in counting) else counting

    def begin(self) -> None:
        """One of them began."""
        spans = [share.since_ms for share in self._counting() if share.since_ms is not None]
        if spans:
            self._tracker.begin(max(spans))

    def prove(self, handled_ms: int) -> None:
        """One of them proved more."""
        proven = [share.proven_ms for share in self._counting()]
        if proven:
            self._tracker.prove(min(proven), handled_ms)

    def lose(self) -> None:
        """One of them that counts is gone."""
        self._tracker.lose()
