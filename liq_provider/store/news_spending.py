"""What was spent today, counted in the store: whoever shares it shares one budget."""

from dataclasses import dataclass

from sqlalchemy import Engine, Select, select

from liq_provider.store import schema
from liq_provider.store.database import store_errors
from liq_provider.store.statements import insert_into


@dataclass(frozen=True, slots=True)
class Spending:
    """
    :param day: of UTC, in days since 1970
    """

    day: int
    calls: int
    usd: float


def take_call(engine: Engine, what: str, day: int, limit: int, usd: float) -> tuple[bool, Spending]:
    """
    Count one call more, in one statement: two who ask at once cannot both have the last one.

    :param what: is paid for
    :param limit: calls of that day, by anybody
    :param usd: what this one costs
    :return: False if the limit is reached, and then nothing is counted; what is spent
    """
    table = schema.spending
    with store_errors("Counting what is spent"), engine.begin() as connection:
        statement = insert_into(connection, table).values(what=what, day=day, calls=1, usd=usd)
        taken = connection.execute(
            statement.on_conflict_do_update(
                index_elements=[table.c.what, table.c.day],
                set_={"calls": table.c.calls + 1, "usd": table.c.usd + usd},
                where=table.c.calls < limit,
            ).returning(table.c.calls, table.c.usd)
        ).first()
        row = taken or connection.execute(_query(what, day)).one()
    return taken is not None, Spending(day, int(row.calls), float(row.usd))


def spent(engine: Engine, what: str, day: int) -> Spending:
    """:return: what was spent that day"""
    with store_errors("Reading what is spent"), engine.connect() as connection:
        row = connection.execute(_query(what, day)).first()
    return Spending(day, 0, 0.0) if row is None else Spending(day, int(row.calls), float(row.usd))


def _query(what: str, day: int) -> Select[tuple[int, float]]:
    table = schema.spending.c
    return select(table.calls, table.usd).where(table.what == what).where(table.day == day)
