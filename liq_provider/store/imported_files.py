"""Which files were imported to their end, without a bad row."""

from dataclasses import dataclass

from sqlalchemy import Engine, select

from liq_provider.store import schema
from liq_provider.store.database import store_errors
from liq_provider.store.statements import replace


@dataclass(frozen=True, slots=True)
class Imported:
    """
    :param digest: of the file's content
    :param read_as: format and options, as far as they decide what becomes of it
    """

    digest: str
    read_as: str
    name: str


def find(engine: Engine, key: Imported) -> int | None:
    """:return: liquidations that were in the file, None if it was never read to its end"""
    table = schema.imports.c
    with store_errors("Reading imports"), engine.connect() as connection:
        return connection.execute(
            select(table.orders)
            .where(table.digest == key.digest)
            .where(table.read_as == key.read_as)
        ).scalar()


def note(engine: Engine, key: Imported, orders: int, now_ms: int) -> None:
    """Remember that a file was read to its end, without a bad row."""
    row = {
        "digest": key.digest,
        "read_as": key.read_as,
        "name": key.name,
        "orders": orders,
        "finished_ms": now_ms,
    }
    with store_errors("Noting an import"), engine.begin() as connection:
        replace(connection, schema.imports, [row])
