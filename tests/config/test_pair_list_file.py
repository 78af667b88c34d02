"""The file of pairs, as Freqtrade's own RemotePairList reads it: nothing we write ends a bot."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from freqtrade.configuration.load_config import load_config_file
from freqtrade.exceptions import OperationalException
from freqtrade.plugins.pairlist.RemotePairList import RemotePairList

from liq_provider.bot.autostart import sidecar_config
from liq_provider.config.pair_list_file import (
    MAJORS,
    PairListTerms,
    entry_for,
    is_plain_name,
    listed_in,
    pair_list_entry,
    pair_list_of,
    pair_list_path,
    seed,
    seed_of,
    write_pairs,
)
from liq_provider.config.settings import Settings, load_settings
from liq_provider.errors import SettingsError
from liq_provider.sidecar.sidecar_config import SidecarConfig

ROOT = Path(__file__).parents[2]
BTC, ETH, CJK = "BTC/USDT:USDT", "ETH/USDT:USDT", "币安人生/USDT:USDT"
BAD = ["(C5/USDT:USDT", "*/USDT:USDT", "C5+/USDT:USDT", ".*", "", "A B/USDT:USDT", "A\n", None, 5]


def config(*pairlists: Any, **exchange: Any) -> dict[str, Any]:
    return {"pairlists": list(pairlists), "exchange": exchange}


def remote(url: str, **more: Any) -> dict[str, Any]:
    return {"method": "RemotePairList", "mode": "whitelist", "pairlist_url": url, **more}


OURS = remote("file:///user_data/liq_pairs.json", refresh_period=0)


def settings_of(file: str = "user_data/liq_pairs.json") -> Settings:
    return load_settings({"liq_provider": {"market": {"file": file}}}, {})


class Bots(RemotePairList):
    """Freqtrade's, on a market of three perpetuals; with ``read`` its cache is over at once."""

    def __init__(self, path: Path, entry: dict[str, Any] | None = None) -> None:
        markets = {pair: {} for pair in (BTC, ETH, CJK)}
        exchange = SimpleNamespace(get_markets=lambda: markets)
        super().__init__(exchange, None, {}, entry or remote(f"file:///{path}"), 0)

    def _whitelist_for_active_markets(self, pairlist: list[str], *_: Any) -> list[str]:
        return pairlist

    def read(self) -> list[str]:
        self._pair_cache.clear()
        return list(self.gen_pairlist({}))


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.parametrize("pair", BAD)
def test_a_name_that_freqtrade_would_take_for_a_pattern_is_refused(
    pair: Any, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.json"
    assert not is_plain_name(pair)
    with pytest.raises(ValueError, match="nothing but names"):
        write_pairs(path, [BTC, pair])
    assert not path.exists()


def test_what_those_names_would_do_to_a_bot(tmp_path: Path) -> None:
    """Why they are refused: if Freqtrade mends it, this test says so."""
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps({"pairs": ["(C5/USDT:USDT"]}))
    with pytest.raises(ValueError, match="Wildcard error"):
        Bots(path).read()
    path.write_text(json.dumps({"pairs": 5}))
    with pytest.raises(TypeError):
        Bots(path).read()


def test_freqtrade_reads_what_is_written_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "user_data" / "pairs.json"
    write_pairs(path, [CJK, BTC, "GONE/USDT:USDT"], written_ms=5, left_out={"n": 2})
    bot = Bots(path)
    assert bot.read() == [CJK, BTC]
    write_pairs(path, [ETH])
    assert bot.read() == [ETH]
    assert bot._refresh_period == 1800  # as configured: no file raises it


def test_what_is_written_between_two_loops_is_read_in_the_next_one(tmp_path: Path) -> None:
    """With 1, loops that are a second apart would read it every other time."""
    path = tmp_path / "pairs.json"
    bot = Bots(path, entry_for(path))
    for pairs in ([BTC], [ETH], [CJK, BTC]):
        write_pairs(path, pairs)
        assert bot.gen_pairlist({}) == pairs, "the list of before is kept"


@pytest.mark.parametrize("damage", ['{"pairs": ["BTC/US', "", "\x00\x00", "{'pairs': []}"])
def test_a_bot_that_runs_keeps_its_list_when_the_file_is_damaged(
    damage: str, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.json"
    write_pairs(path, [BTC])
    bot = Bots(path)
    assert bot.read() == [BTC]
    path.write_text(damage)
    assert bot.read() == [BTC]
    path.unlink()
    assert bot.read() == [BTC]


@pytest.mark.parametrize("there", [None, '{"pairs": ["BTC/US', "", '{"pairs": []}', "pattern"])
def test_a_list_is_made_where_a_bot_could_not_start_by_what_there_is(
    there: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "user_data" / "pairs.json"
    path.parent.mkdir()
    if there is not None:
        path.write_text('{"pairs": ["(C5"]}' if there == "pattern" else there)
    assert seed(path, config(pair_whitelist=[ETH, ".*/USDT:USDT"]))
    assert Bots(path).read() == [ETH]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_without_one_a_bot_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(OperationalException, match="does not exist"):
        Bots(tmp_path / "pairs.json").read()


def test_a_list_that_can_be_used_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    write_pairs(path, [CJK], written_ms=5)
    before = path.read_bytes()
    assert not seed(path, config(pair_whitelist=[ETH]))
    assert path.read_bytes() == before
    assert listed_in(path) == [CJK]


def test_everybody_may_read_it_whatever_the_umask(umask: None, tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    for _ in range(2):
        write_pairs(path, [BTC])
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_link_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "pairs.json"
    other.write_text("mine")
    path.symlink_to(other)
    write_pairs(path, [BTC])
    assert (other.read_text(), path.is_symlink()) == ("mine", False)


@pytest.mark.parametrize("content", ['{"exchange": {}}', "[]"])
def test_another_file_is_never_written_over(content: str, tmp_path: Path) -> None:
    path = tmp_path / "static-pairs.json"
    path.write_text(content)
    with pytest.raises(SettingsError, match=r"liq_provider\.market\.file: .*no list of pairs"):
        seed(path, config())
    assert path.read_text() == content


def test_what_cannot_be_written_is_said_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "user_data").write_text("")
    with pytest.raises(SettingsError, match=r"liq_provider\.market\.file: .*cannot be written"):
        seed(tmp_path / "user_data" / "pairs.json", config())
    (tmp_path / "pairs.json").mkdir()
    with pytest.raises(SettingsError, match=r"liq_provider\.market\.file: .*is a directory"):
        seed(tmp_path / "pairs.json", config())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match=r"liq_provider\.market\.file: .*is a device or a pipe"):
        seed(tmp_path / "pipe", config())
    assert (tmp_path / "pipe").is_fifo()


def test_a_list_begins_with_the_pairs_that_the_configuration_names() -> None:
    assert seed_of(config(pair_whitelist=[ETH, ".*/BTC", "(", BTC])) == [ETH, BTC]
    assert seed_of(config(pair_whitelist=[".*/USDT:USDT"])) == list(MAJORS)
    assert seed_of({}) == list(MAJORS)
    usdc = {"stake_currency": "USDC"}
    assert seed_of(config(pair_whitelist=[ETH, "ETH/USDC:USDC"]) | usdc) == ["ETH/USDC:USDC"]
    named = seed_of(config(pair_whitelist=[ETH]) | usdc)
    assert named[:2] == ["BTC/USDC:USDC", "ETH/USDC:USDC"] and len(named) == len(MAJORS)
    example = load_config_file(str(ROOT / "config.json.example"))
    assert example["exchange"]["pair_whitelist"] == list(MAJORS)


@pytest.mark.parametrize(
    "pairlist",
    [
        {"method": "StaticPairList"},
        remote("http://127.0.0.1:8687/pairlist"),
        remote("https://example.com/pairlist"),
        remote("http://127.0.0.1:8686/pairs"),
        remote("http://[::1/pairlist"),
        remote("http://127.0.0.1:x/pairlist"),
        remote("file:///user_data/my_list.json"),
        remote("file://user_data/liq_pairs.json"),  # which Freqtrade takes for an address
        "StaticPairList",
        {"method": "RemotePairList"},
        remote(5),  # type: ignore[arg-type]
    ],
)
def test_other_pair_lists_are_not_ours(pairlist: Any, tmp_path: Path) -> None:
    assert pair_list_of(config(pairlist), settings_of(), tmp_path) is None
    assert pair_list_entry(config(pairlist), settings_of()) is None
    assert pair_list_of({}, settings_of(), tmp_path) is None


@pytest.mark.parametrize("file", ["user_data/liq_pairs.json", "lists/my_pairs.json"])
def test_the_entry_is_known_by_the_file_that_it_names(file: str, tmp_path: Path) -> None:
    settings = settings_of(file)
    for url in (f"file:///{file}", f"file:///{tmp_path / file}", f"file:///./x/../{file}"):
        pairlists = config({"method": "StaticPairList"}, remote(url))
        assert pair_list_of(pairlists, settings, tmp_path, tmp_path) == tmp_path / file
        entry = pair_list_entry(pairlists, settings)
        assert entry is not None and (entry.number, entry.url) == (1, url)
    assert pair_list_path(settings, tmp_path) == tmp_path / file


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8686/pairlist", "https://liq:8686/pairlist?limit=9"]
)
def test_the_page_answers_the_same_list_and_needs_no_file(url: str, tmp_path: Path) -> None:
    config_of_page = config({"method": "StaticPairList"}, remote(url))
    entry = pair_list_entry(config_of_page, settings_of())
    assert entry is not None and (entry.number, entry.is_file) == (1, False)
    assert pair_list_of(config_of_page, settings_of(), tmp_path) is None
    assert PairListTerms.of(config_of_page, settings_of()).read
    elsewhere = load_settings({"liq_provider": {"dashboard": {"port": 9_000}}}, {})
    assert pair_list_entry(config_of_page, elsewhere) is None


@pytest.mark.parametrize("file", ["user_data/liq_pairs.json", "user_data/other_pairs.json"])
def test_a_bot_that_would_read_another_file_than_is_written_is_told_both_keys(
    file: str, tmp_path: Path
) -> None:
    """It was started elsewhere, or one of the two was changed: nobody renews its list."""
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(SettingsError) as refused:
        pair_list_of(config(OURS), settings_of(file), tmp_path, elsewhere)
    said = str(refused.value)
    assert "pairlists[0].pairlist_url" in said and "liq_provider.market.file" in said
    assert str(elsewhere / "user_data" / "liq_pairs.json") in said and str(tmp_path / file) in said
    mended = remote(f"file:///{tmp_path / file}")
    assert pair_list_of(config(mended), settings_of(file), tmp_path, elsewhere) == tmp_path / file


@pytest.mark.parametrize(
    "file", ["", "user_data/config.json", "http://x/pairs.json", "a\npairs.json"]
)
def test_a_file_that_is_not_of_its_own_is_refused(file: str) -> None:
    with pytest.raises(SettingsError, match=r"liq_provider\.market\.file"):
        settings_of(file)


def test_what_a_bot_cannot_trade_is_not_for_its_list() -> None:
    exchange = {"pair_blacklist": ["DOGE/.*", "(", "btc/usdt:usdt"], "pair_whitelist": [ETH]}
    terms = PairListTerms.of(config(OURS, **exchange) | {"stake_currency": "USDT"}, settings_of())
    assert terms.read and terms.seed == (ETH,)
    named = [ETH, CJK, "DOGE/USDT:USDT", BTC, "ETH/USDC:USDC", "ETH/USD:ETH", "(C5/USDT:USDT"]
    assert [pair for pair in named if terms.may_be_listed(pair)] == [ETH, CJK]


def test_a_sidecar_is_told_of_the_list_and_of_no_secret(tmp_path: Path) -> None:
    entry = OURS | {"bearer_token": "s3cret"}
    bot = config(entry, name="binance", pair_blacklist=["BNB/.*"])
    bot["exchange"]["pair_whitelist"] = [ETH, "ETH/USDC:USDC"]
    settings = settings_of()
    sent = json.dumps(sidecar_config(bot | {"stake_currency": "USDC"}, settings, tmp_path))
    assert "s3cret" not in sent
    told = SidecarConfig.of(json.loads(sent)).pair_list
    assert told == PairListTerms(True, "USDC", ("BNB/.*",), ("ETH/USDC:USDC",))
    static = config({"method": "StaticPairList"}, name="binance")
    assert not SidecarConfig.of(static).pair_list.read
