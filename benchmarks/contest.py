"""
What is compared: a row of the table, who takes part in it, and what one run of one of them says.

Calls are named as ``module:function``, as each runs in a process of its own, and a peer's module
can be imported in the peers' environment only.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Measured:
    """
    What one run says, as JSON on the last line of its output.

    :param value: in the row's unit
    :param result: a digest of what was computed; equal results have equal ones
    :param cpu_s: of the processor, for the work alone; what the growth is told by
    :param said: more in words, such as the worst of many
    :param low: with ``high`` the quartiles of a run that measures several times by itself
    """

    value: float
    result: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    said: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Contestant:
    """
    :param call: ``module:function`` of a folder and a size, that returns ``Measured``
    :param peer: whether it runs in the peers' environment, where LiqTrend is not
    :param differs: how its result differs from LiqTrend's by its nature; else they must be equal
    """

    name: str
    call: str
    peer: bool = False
    differs: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """
    :param limit: of LiqTrend's value; with ``of``, times that contestant's
    :param peer: a contestant by which machines are compared, as it came to ``peer_made`` where the
        goal was set
    """

    limit: float
    of: str = ""
    peer: str = ""
    peer_made: float = 0.0


@dataclass(frozen=True, slots=True)
class Growth:
    """
    How the cost grows with one thing: LiqTrend alone, once with each size.

    :param what: that grows, such as "rows"
    :param prepare: makes what is read, for a size; none where ``call`` does
    :param cost: what is looked at: seconds of the processor, or the row's figure
    :param rows: names of rows that have measured it already, one for each size; nothing is called
    """

    what: str
    call: str
    sizes: tuple[int, ...]
    prepare: str = ""
    cost: Literal["cpu_s", "value"] = "cpu_s"
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of the table. The first contestant is LiqTrend.

    :param work: what is done, with its size
    :param better: whether more of the unit is better, or less
    :param prepare: ``module:function`` of a folder and a size: makes what all of them read; rows
        that name the same with the same size share it
    :param compares: what is held against what, and what equal means here
    :param repeats: how often a run measures by itself, where most of it is its start
    :param warm: whether a first round is run that does not count
    :param waits: for a row that mostly waits for minutes to end: when it has its turn; those with
        the same number run at once
    :param interruptible: whether it may run beside those that wait, and stand still for them
    :param proof: of the limit, where the goal cannot be met
    """

    name: str
    work: str
    unit: str
    better: Literal["more", "less"]
    goal: Goal | None
    contestants: tuple[Contestant, ...]
    size: int
    compares: str
    prepare: str = ""
    growth: tuple[Growth, ...] = ()
    rounds: int = 5
    repeats: int = 1
    warm: bool = False
    waits: int = 0
    interruptible: bool = False
    timeout_s: float = 240
    proof: str = ""
