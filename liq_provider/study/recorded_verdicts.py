"""What the sidecar's judges said live, and what asking them cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from liq_provider.store import schema
from liq_provider.store.database import open_engine, store_errors
from liq_provider.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Bill:
    """
    :param calls: questions that were sent
    :param priced: those of them with a recorded cost
    :param cost_usd: sum of theirs
    """

    calls: int
    priced: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """
    :param verdicts: rows of the table ``verdicts`` by coin, each by ``available_at``
    :param bills: by judge
    """

    verdicts: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    bills: Mapping[str, Bill] = field(default_factory=dict)


def recorded(reader: Reader, coins: Sequence[str], from_ms: int, to_ms: int) -> Recorded:
    """
    :param to_ms: what was said or asked after it is not looked at
    """
    verdicts: dict[str, list[Mapping[str, Any]]] = {coin: [] for coin in coins}
    for row in reader.verdicts(from_ms, to_ms, sorted(verdicts)):
        verdicts[row["base_asset"]].append(row)
    return Recorded(verdicts, _bills(reader.url, sorted(verdicts), from_ms, to_ms))


def _bills(url: str, coins: Sequence[str], from_ms: int, to_ms: int) -> dict[str, Bill]:
    """Summed up by the database: prompts and answers are long, and not wanted here."""
    table = schema.model_calls.c
    cost = func.coalesce(func.sum(table.cost_usd), 0.0)
    query = (
        select(table.judge, func.count(), func.count(table.cost_usd), cost)
        .where(table.base_asset.in_(coins))
        .where(table.asked_ms >= from_ms)
        .where(table.asked_ms <= to_ms)
        .where(table.requests > 0)
        .group_by(table.judge)
    )
    engine = open_engine(url, read_only=True)
    try:
        with store_errors("Reading the cost of models"), engine.connect() as connection:
            return {
                row[0]: Bill(row[1], row[2], float(row[3])) for row in connection.execute(query)
            }
    finally:
        engine.dispose()
