"""The real Freqtrade, whose rate limit makes its candles later than a signal may be."""

from pathlib import Path

from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.simulator.exchange_server import Simulator
from tests.bot.helpers import Store
from tests.integration.harness import BTC, bot_config, next_minute, running, until, wave


def test_a_wave_that_is_too_late_because_of_candles_is_told_with_that_reason(
    sim: Simulator, store: Store, tmp_path: Path
) -> None:
    config = bot_config(sim, tmp_path, max_entry_delay_s=5)
    # Of the asynchronous requests alone, which are those for candles.
    config["exchange"]["ccxt_async_config"] = {"enableRateLimit": True, "rateLimit": 1_700}
    with running(config, tmp_path) as bot:
        bot.loop()
        close_ms = next_minute()
        wave(store, close_ms, {"BTC": ("SHORT", 9)})
        bot.loop()
        assert bot.open == {}
        late_s = bot.strategy.liq.engine.candles.sum.ready_s
        assert late_s > 5
        reason = (
            f"the candles came {late_s:.0f} s after their close: 3 pairs x 3400 ms = 10.2 s "
            "(max_entry_delay_s 5)"
        )
        (told,) = [text for text in bot.messages if text.startswith(f"`{BTC}`: strong wave SHORT")]
        assert f"not entered: `{reason}`" in told
        bot.loop()
        (said,) = [text for text in bot.messages if "candles come too late to enter" in text]
        assert "max_entry_delay_s 5" in said and "liq-provider init" in said
        files = SidecarFiles(tmp_path / "store.sqlite")
        until(lambda: files.bots() and files.bots()[0].get("refusals"), 20)
        (heartbeat,) = files.bots()
        # For page and commands.
        assert heartbeat["refusals"] == [[BTC, close_ms, "lateness", reason]]
        assert heartbeat["candles"]["level"] == "error"
        assert heartbeat["candles"]["request_ms"] == 3_400
