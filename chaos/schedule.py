"""What goes wrong, and when: a plan that depends on the seed alone."""

import random
from dataclasses import asdict, dataclass
from typing import Any, Literal

Store = Literal["sqlite", "postgresql"]

VENUES = ("binance", "bybit", "okx")

# Nothing is broken before everything ran for a while, nor so late that it cannot recover.
QUIET_BEGIN_S = 20.0
QUIET_END_S = 15.0

# A fault begins this often on average; with their lengths, one to three overlap.
MEAN_GAP_S = 11.0


@dataclass(frozen=True, slots=True)
class Setup:
    """
    :param sidecars: names of those that serve the store
    """

    store: Store
    sidecars: tuple[str, ...]

    @classmethod
    def of_seed(cls, seed: int) -> "Setup":
        """:return: odd seeds run one sidecar on SQLite, even ones two on PostgreSQL"""
        return cls("sqlite", ("a",)) if seed % 2 else cls("postgresql", ("a", "b"))


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A kind of fault.

    :param targets: what it may hit: ``sidecar``, ``bot``, ``store`` or ``venue``
    :param least_s: shortest length; of a kill, how long the process stays away
    :param stores: only with these
    :param weight: how often it is chosen, relative to the others
    """

    name: str
    targets: tuple[str, ...]
    least_s: float
    most_s: float
    stores: tuple[Store, ...] = ("sqlite", "postgresql")
    weight: int = 2


KINDS: tuple[Kind, ...] = (
    Kind("kill", ("sidecar", "bot"), 0.5, 15, weight=4),
    Kind("freeze", ("sidecar", "bot"), 2, 75, weight=4),
    Kind("lock_store", ("store",), 3, 40, weight=3),
    Kind("hang_server", ("store",), 3, 60, ("postgresql",), weight=4),
    Kind("kill_server", ("store",), 1, 12, ("postgresql",)),
    Kind("full_disk", ("sidecar",), 5, 40, weight=3),
    Kind("garbage", ("venue",), 3, 20, weight=3),
    Kind("disconnect", ("venue",), 0, 20, weight=3),
    Kind("late", ("venue",), 3, 20),
    Kind("duplicate", ("venue",), 3, 20),
    Kind("clock_jump", ("sidecar", "bot"), 10, 60, weight=2),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """
    :param at_s: seconds after everything was up
    :param target: a sidecar's name, ``bot``, ``store`` or a venue
    :param seconds: how long it lasts
    :param amount: seconds that a clock jumps, or that frames are held back
    """

    at_s: float
    kind: str
    target: str
    seconds: float
    amount: float = 0.0

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.seconds

    def as_json(self) -> dict[str, Any]:
        """:return: the plan's line"""
        return asdict(self)


def plan(seed: int, seconds: float, setup: Setup) -> tuple[Fault, ...]:
    """
    :param seconds: how long the run takes, recovery not counted
    :return: faults by time; two of one kind and target never overlap
    """
    rng = random.Random(f"chaos {seed}")  # noqa: S311 - a plan, no secret
    kinds = [kind for kind in KINDS if setup.store in kind.stores]
    weights = [kind.weight for kind in kinds]
    faults: list[Fault] = []
    at_s = QUIET_BEGIN_S
    while (at_s := at_s + rng.expovariate(1 / MEAN_GAP_S)) < seconds - QUIET_END_S:
        kind = rng.choices(kinds, weights)[0]
        # Short ones more often than long ones, which would leave nothing known.
        length_s = kind.least_s + (kind.most_s - kind.least_s) * rng.random() ** 2
        fault = Fault(
            round(at_s, 2),
            kind.name,
            _target(rng, kind, setup),
            round(min(length_s, seconds - QUIET_END_S / 2 - at_s), 2),
            _amount(rng, kind.name),
        )
        if not any(_clash(fault, other) for other in faults):
            faults.append(fault)
    return tuple(faults)


def _target(rng: random.Random, kind: Kind, setup: Setup) -> str:
    place = rng.choice(kind.targets)
    if place == "venue":
        return rng.choice(VENUES)
    return rng.choice(setup.sidecars) if place == "sidecar" else place


def _amount(rng: random.Random, kind: str) -> float:
    if kind == "clock_jump":
        return rng.choice([-600.0, -90.0, -5.0, 5.0, 90.0, 600.0])
    return round(rng.uniform(3, 15), 1) if kind == "late" else 0.0


def _clash(fault: Fault, other: Fault) -> bool:
    same = (fault.kind, fault.target) == (other.kind, other.target)
    # A process that is away can be neither frozen nor killed, a server neither locked.
    gone = {"kill", "freeze", "clock_jump"}
    hung = {"lock_store", "hang_server", "kill_server"}
    both = {fault.kind, other.kind}
    exclusive = fault.target == other.target and (both <= gone or both <= hung)
    overlap = fault.at_s < other.end_s + 2 and other.at_s < fault.end_s + 2
    return overlap and (same or exclusive)
