"""What ``status`` says, in words and colours, on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from liq_provider.commands.support.context import show_time
from liq_provider.config.simulated_marks import is_stand_in
from liq_provider.core.moments import moment
from liq_provider.measure.readiness import ReadinessReport
from liq_provider.measure.scales import score_words
from liq_provider.store.spool import waiting_words
from liq_provider.venues.registry import price_words, sampling_words

_NAMED = 5
_STYLES = {
    "live": "green",
    "connecting": "yellow",
    "silent": "red",
    "refused": "red",
    "down": "red",
}

_LEVELS = {"ok": "", "warning": "yellow", "error": "bold red"}


def say(report: Mapping[str, Any]) -> None:
    """:param report: see ``status.collect``"""
    console = Console()
    sidecar = report["sidecar"]
    readiness = ReadinessReport.of_json(report["readiness"])
    if report["problem"] is None:
        console.print("Entries are possible.", style="bold green")
    else:
        console.print(f"No entries: {report['problem']}", style="bold red", markup=False)
    if report["simulated"]:
        console.print(report["simulated"], style="bold magenta", markup=False)
    console.print(f"Store {report['store']}", markup=False)
    if not report["answers"]:
        _print_spool(console, report)
    if sidecar and not report["answers"]:
        console.print(f"As of {show_time(sidecar['now_ms'])} UTC, when the sidecar was last heard:")
    if sidecar.get("feeds"):
        console.print(_feeds(report))
        for said in (sampling_words(sidecar["feeds"]), price_words(sidecar["feeds"])):
            if said:
                console.print(said, style="dim", markup=False)
    print_readiness(console, readiness, report["now_ms"])
    for name, level, said, remedy in report["candles"]:
        words = f"Candles of {name}: {said}" + (f" -> {remedy}" if remedy else "")
        console.print(words, style=_LEVELS[level], markup=False, soft_wrap=True)
    if sidecar:
        print_sidecar(console, sidecar, report["running"])
        print_pair_list(console, sidecar.get("pair_list") or {}, sidecar["now_ms"])
    wave = report["last_wave"]
    if wave:
        console.print(
            f"Last wave: {wave['pair']} {wave['direction']} ({wave['strength']}), peak "
            f"{score_words(wave['zscore'], wave['peak_z'])}, ${wave['peak_usd']:,.0f}, from "
            f"{moment(wave['start_ms'])} to {moment(wave['last_ms'])}",
            markup=False,
        )


def _print_spool(console: Console, report: Mapping[str, Any]) -> None:
    """What waits now, which a sidecar that does not answer cannot say."""
    spool = report["spool"]
    if report["running"] or spool["waiting"]:
        said = f"Now {waiting_words(spool['path'], spool['waiting'])}."
        console.print(said, markup=False, soft_wrap=True)


def print_readiness(console: Console, report: ReadinessReport, now_ms: int) -> None:
    for name, venue in report.venues.items():
        said = _counts(report.uncounted.get(name, ())) if venue.ready else venue.words(now_ms)
        console.print(f"Venue {name}: {said.removeprefix(f'{name}: ')}", markup=False)
    coins = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in report.counts().items() if count
    )
    console.print(f"Coins: {coins or 'none seen within the baseline'}")


def _counts(uncounted: Sequence[str]) -> str:
    """
    :param uncounted: coins of which something of the venue is not known
    """
    if not uncounted:
        return "counts"
    more = len(uncounted) - _NAMED
    names = ", ".join(uncounted[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"counts, except for {len(uncounted):,} coin(s): {names}"


def _feeds(report: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("feed", "state", "last event", "known 24 h", "stored 24 h", "dropped", "detail"):
        table.add_column(title)
    now_ms = report["now_ms"]
    for name, feed in report["sidecar"]["feeds"].items():
        last_ms = feed["last_liquidation_ms"]
        totals = report["totals_24h"].get(name, {"count": 0, "usd": 0.0})
        dropped = sum(feed["dropped"].values()) + feed["not_understood"]
        table.add_row(
            name,
            Text(feed["state"], _STYLES.get(feed["state"], "")),
            f"{max(0, now_ms - last_ms) / 1000:.0f} s ago" if last_ms else "never",
            f"{report['coverage_24h'].get(name, 0):.1%}",
            f"{totals['count']:,} (${totals['usd']:,.0f})",
            f"{dropped:,}" + _reasons(feed),
            Text(_detail(feed)),
        )
    return table


def _detail(feed: Mapping[str, Any]) -> str:
    said = [] if feed["state"] == "live" else [feed["detail"]]
    if feed["markets_error"]:
        said.append(f"no market list: {feed['markets_error']}")
    if feed["rejected"]:
        said.append(f"{len(feed['rejected'])} symbols refused by the venue")
    return "; ".join(said)


def _reasons(feed: Mapping[str, Any]) -> str:
    reasons = dict(feed["dropped"])
    if feed["not_understood"]:
        reasons["not understood"] = feed["not_understood"]
    return f" ({', '.join(f'{why} {n}' for why, n in reasons.items())})" if reasons else ""


def _aside(booked: Mapping[str, int]) -> str:
    """What is stored but counts in no minute."""
    return "".join(
        f"{booked[how]:,} {how}, " for how in ("late", "future", "small") if how in booked
    )


def print_sidecar(console: Console, sidecar: Mapping[str, Any], running: bool) -> None:
    skew_ms = sidecar["skew_ms"]
    console.print(
        f"Since {show_time(sidecar['started_ms'])} UTC: {sidecar['stored']:,} stored, "
        f"{sidecar['duplicates']:,} duplicates, {_aside(sidecar['booked'])}"
        f"{sidecar.get('in_memory', 0):,} waiting in memory, {sidecar['spooled']:,} on disk, "
        f"{sidecar['lost']:,} lost ({sidecar.get('set_aside', 0):,} of them set aside), "
        f"{sidecar['unsettled_minutes']} minutes not settled, "
        f"{sidecar.get('looks_failed', 0)} looks at a running minute failed; clock "
        + ("not compared" if skew_ms is None else f"{skew_ms:+d} ms")
    )
    if sidecar["store_error"]:
        console.print(f"Store: {sidecar['store_error']}", style="red", markup=False)
    if sidecar.get("spool_error"):
        console.print(f"Spool: {sidecar['spool_error']}", style="red", markup=False)
    if sidecar.get("store_replaced"):
        count = sidecar["store_replaced"]
        console.print(
            f"The store was replaced {_times(count)} while it was open; what "
            "only the old one held is not in it",
            style="yellow",
        )
    page = (sidecar.get("dashboard") or {}) if running else {}
    if page.get("url"):
        console.print(f"Dashboard: {page['url']}" + (" (token)" if page["locked"] else ""))
    elif page.get("error"):
        console.print(f"No dashboard: {page['error']}", style="yellow", markup=False)
    fills = sidecar.get("fills") or {}
    if any(fills.values()):
        console.print(
            f"Gaps: {fills['minutes']:,} minutes filled ({fills['orders']:,} liquidations, for "
            f"baselines only), {fills['unproven']:,} not proven, {fills['failures']:,} failures"
            + (f"; last: {fills['error']}" if fills["error"] else ""),
            markup=False,
        )
    judge = sidecar["judge"]
    # One that was started before an upgrade does not count its failures yet.
    console.print(
        f"Judge {judge['name']}: {judge['judged']} verdicts, {judge['without_candles']} of them "
        f"without candles, {judge.get('failed', 0)} waves not judged; "
        f"last: {judge['last'] or 'none'}",
        markup=False,
    )
    if judge["error"]:
        console.print(f"Judge: {judge['error']}", style="red", markup=False)
    if is_stand_in(judge["name"]):
        console.print("The judge is a STAND-IN, not an AI: its calls and tokens are made up.")
    if judge.get("model") is not None:
        _print_asked(console, judge["name"], judge["model"])
    if judge.get("news") is not None:
        _print_news(console, judge["news"])
    early = judge.get("early")
    if early is not None:
        console.print(
            f"Asked before the close: {early['asked']}, used {early['used']}, "
            f"not confirmed {early['unconfirmed']}, failed {early.get('failed', 0)}",
            markup=False,
        )


def print_pair_list(console: Console, told: Mapping[str, Any], now_ms: int) -> None:
    """
    :param told: see ``PairList.report``; of a sidecar that was started before an upgrade, nothing
    """
    if not told.get("read"):
        return
    written_ms = told["written_ms"]
    few = told.get("few")
    when = f"written {(now_ms - written_ms) / 1000:.0f} s ago" if written_ms else "not written yet"
    console.print(
        f"Pairs: {len(told['pairs'])} in {told['path']}, {told['in_wave']} of them in a wave, "
        f"{when}{f'; {few}' if few else ''}{_left_out(told)}",
        markup=False,
        soft_wrap=True,
    )
    if told["error"]:
        console.print(f"Pairs: {told['error']}", style="red", markup=False, soft_wrap=True)


def _left_out(told: Mapping[str, Any]) -> str:
    if not told["left_out"]:
        return ""
    named = [f"{pair} ({why})" for pair, why in list(told["left_out"].items())[:_NAMED]]
    more = told["left_out_n"] - len(named)
    return f"; left out: {', '.join(named)}" + (f" and {more} more" if more > 0 else "")


def _print_asked(console: Console, name: str, asked: dict[str, Any]) -> None:
    """A model, which has a budget, or the judge of another package, which has none."""
    spent = ", ".join(
        f"{limit} {budget['used']:,.10g} of {budget['limit']:,.10g}"
        for limit, budget in asked["budget"]["spent"].items()
    )
    who = "Model" if spent else f"Judge {name}"
    failures = ", ".join(f"{kind} {n}" for kind, n in sorted(asked["failures"].items()))
    console.print(
        f"{who}: {asked['answered']} of {asked['asked']} questions answered, "
        f"{asked.get('shared', 0)} of them asked by another sidecar, "
        f"{asked.get('notes_replaced', 0)} notes with made-up figures replaced, "
        f"circuit {asked['circuit']}; failures: {failures or 'none'}"
        + (f"; spent: {spent}" if spent else ""),
        markup=False,
    )
    if asked["unavailable"]:
        console.print(f"{who}: unavailable, {asked['unavailable']}", style="red", markup=False)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _print_news(console: Console, news: dict[str, Any]) -> None:
    line = f"News ({news['provider']}): asked {_times(news['asked'])}, {news['items']} headlines"
    budget = news.get("budget")
    if budget is not None:
        calls = budget["calls_per_day"]
        line += f"; {calls['used']:,} of {calls['limit']:,} requests today, ${budget['usd']:,.3f}"
    console.print(line, markup=False)
    if budget is not None and budget["reached"]:
        said = "News: news.budget.calls_per_day is reached, not asked until midnight UTC"
        console.print(said, style="red", markup=False)
    elif news["error"]:
        console.print(f"News: {news['error']}", style="yellow", markup=False)
    for name, feed in sorted(news.get("feeds", {}).items()):
        if feed["error"] is not None:
            said = f"News: the feed {name} failed {_times(feed['failed'])}, last: {feed['error']}"
            console.print(said, style="yellow", markup=False)
