"""Rows reach the table as they are, whatever of them stands in the statement itself."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from liq_provider.store.column_rows import execute
from liq_provider.store.database import open_engine

KINDS: list[list[Any]] = [
    [0, 1, -1, 7, -(1 << 62), (1 << 62) + 1, None],
    [0.0, 0.1, 1e-300, 5.0, None],
]


@pytest.mark.parametrize("count", [1, 2, 49, 50, 51, 120])
def test_a_column_of_one_value_is_stored_as_any_other(count: int, tmp_path: Path) -> None:
    random = Random(count)
    engine = open_engine(f"sqlite:///{tmp_path / 'a.sqlite'}")
    for _ in range(20):
        columns: list[list[Any]] = [list(range(count))]
        for _ in range(3):
            kind = random.choice(KINDS)
            column = [random.choice(kind)] * count
            if random.random() < 0.5:
                column[random.randrange(count)] = random.choice(kind)
            columns.append(column)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE kept (n INTEGER PRIMARY KEY, a, b, c)"))
            execute(connection, "INSERT INTO kept VALUES (?, ?, ?, ?)", columns)
            rows = connection.execute(text("SELECT * FROM kept ORDER BY n")).all()
            connection.execute(text("DROP TABLE kept"))
        assert list(map(repr, map(tuple, rows))) == list(map(repr, zip(*columns, strict=True)))
    engine.dispose()
