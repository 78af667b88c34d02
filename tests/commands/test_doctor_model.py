"""``doctor`` looks at the model that judges."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liq_provider.commands.doctor import Finding, _model
from liq_provider.commands.support.context import Context
from liq_provider.config.settings import load_settings
from liq_provider.judge import catalogue
from liq_provider.judge.catalogue import Remark
from liq_provider.simulator.stand_in_model import StandIn


def context(tmp_path: Path, **section: Any) -> Context:
    settings = load_settings({"liq_provider": section}, {})
    return Context({}, settings, f"sqlite:///{tmp_path}/store.sqlite", tmp_path)


async def test_a_model_that_is_shut_down_is_a_finding_with_a_remedy(tmp_path: Path) -> None:
    async with StandIn(models=[{"id": "m", "shutdown_date": "2999-01-01"}]) as server:
        bot_context = context(tmp_path, llm={"base_url": server.url, "model": "m"})
        (finding,) = await asyncio.to_thread(lambda: list(_model(bot_context)))
    assert (finding.level, finding.what) == ("warning", "llm.model")
    assert "m shuts down on 2999-01-01, in " in finding.found and finding.remedy


def test_nobody_is_asked_where_the_matrix_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def ask(settings: Any) -> list[Remark]:
        asked.append(settings)
        return [Remark("ok", "it is there")]

    monkeypatch.setattr(catalogue, "remarks_on", ask)
    llm = {"base_url": "http://127.0.0.1:1/v1"}
    assert list(_model(context(tmp_path, judge={"by": "matrix"}, llm=llm))) == []
    assert not asked
    assert list(_model(context(tmp_path, llm=llm))) == [
        Finding("ok", "llm.model", "it is there", "")
    ]
