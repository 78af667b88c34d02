"""What a reader of files says about a row that it cannot use."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BadRow:
    """
    A row that could not be used; ``line`` counts from 1.

    :param unknown_of: the venue, if its market is not known here: so the file says nothing
        about all of the venue's coins, however many of its rows are understood
    """

    path: Path
    line: int
    reason: str
    unknown_of: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"
