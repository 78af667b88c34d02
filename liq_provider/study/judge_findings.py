"""Did the AI help? The answer in plain sentences; what was not recorded is said as such."""

import math

from liq_provider.config.simulated_marks import is_stand_in
from liq_provider.core.plaintext import plain
from liq_provider.judge.gate_list import BEGINNING_UNSEEN
from liq_provider.study.event_study import MIN_DAYS, MIN_EVENTS, SHOWN_LEVEL, Cell
from liq_provider.study.findings import percent
from liq_provider.study.judges import Comparison, Judges
from liq_provider.study.stats import Difference

_NAME_LIMIT = 80


def judge_sentences(judges: Judges) -> list[str]:
    """:return: what was compared, then a few sentences for each model"""
    if not judges.said:
        nobody = "Did the AI help? No model's verdict of these waves is recorded; nobody can say."
        return [nobody, *_foreknown(judges)]
    waves = sum(compared.waves for compared in judges.comparisons)
    said = [
        f"Did the AI help? {judges.said:,} verdict(s) of models are recorded, {waves:,} wave(s) "
        f"have one that a bot could act on{_lost(judges)}.",
        *_foreknown(judges),
    ]
    if judges.comparisons:
        said.append(
            "Compared are the same waves at the same candle, and only those that were judged "
            f"live: is the mean over {judges.horizon_min} minutes, in the direction of the trade, "
            "of the waves that the matrix without news enters and the model lets pass above that "
            f"of those it refuses, with {confidence(judges.level)} confidence, and beyond random "
            f"signs (p <= {judges.alpha:.3g})? Both pay the same costs."
        )
    return said + [line for compared in judges.comparisons for line in _about(compared, judges)]


def _foreknown(judges: Judges) -> list[str]:
    if not judges.foreknown:
        return []
    return [
        f"{judges.foreknown:,} verdict(s) are left out: their waves are older than what the model "
        "knows (llm.knowledge_cutoff), so it may have read how they ended."
    ]


def judge_name(judge: str) -> str:
    """:return: as it may be shown; the model's name is whatever the configuration says"""
    name = plain(judge, _NAME_LIMIT)
    return f"{name} (a STAND-IN, no AI)" if is_stand_in(judge) else name


def confidence(level: float) -> str:
    """:return: such as 99%, with as many digits as trials ask for"""
    return f"{100 * level:.6g}%"


def interval(difference: Difference) -> str:
    """:return: its two ends"""
    return f"{percent(difference.low)} to {percent(difference.high)}"


def _lost(judges: Judges) -> str:
    parts = [
        (judges.late, "came too late for any entry"),
        (judges.unseen, "are about no wave of these settings, or another direction"),
        (judges.over, f"are about waves whose {BEGINNING_UNSEEN}"),
        (judges.bare, "are at candles that are missing here"),
    ]
    return "".join(f"; {number:,} {what}" for number, what in parts if number)


def _about(compared: Comparison, judges: Judges) -> list[str]:
    name = judge_name(compared.judge)
    said = [f"{name}: {_answer(compared, judges)}"]
    if compared.answer == "helped" and compared.refused.net > 0:
        said.append(
            "That is a trade's mean. What it refused would have paid its costs, too, so in sum "
            "refusing gave money away."
        )
    if compared.own.gross.n and compared.by_matrix.gross.n:
        said.append(
            f"{name}, entry by entry: {_group(compared.own)} by its word, "
            f"{_group(compared.by_matrix)} by the matrix's; {percent(compared.gain.mean)} a trade "
            f"({SHOWN_LEVEL:.0%} interval {interval(compared.gain)})."
        )
    if compared.alone.gross.n:
        said.append(
            f"{name} entered where the matrix alone would not have: {_group(compared.alone)}."
        )
    return said + _bill(compared)


def _answer(compared: Comparison, judges: Judges) -> str:
    groups = f"It kept {_group(compared.kept)}; it refused {_group(compared.refused)}"
    if compared.answer == "not enough data":
        return f"NOT ENOUGH DATA. {groups}. {_wanted(compared)}"
    numbers = (
        f"{groups}; kept minus refused {percent(compared.difference.mean)} "
        f"({confidence(judges.level)} interval {interval(compared.difference)}, random signs "
        f"p {compared.difference.p:.4f})."
    )
    if compared.answer == "helped":
        return f"HELPED, what it refused did worse. {numbers}"
    if compared.answer == "hurt":
        return f"HURT, what it refused did better. {numbers}"
    return f"NO DIFFERENCE that can be told from chance. {numbers}"


def _group(cell: Cell) -> str:
    mean = cell.gross
    if not mean.n:
        return "no event"
    return (
        f"{mean.n:,} event(s) on {mean.days:,} day(s), mean {percent(mean.mean)} before and "
        f"{percent(cell.net)} after costs"
    )


def _wanted(compared: Comparison) -> str:
    said = f"At least {MIN_EVENTS} events on {MIN_DAYS} days of either are needed"
    groups = (compared.kept.gross, compared.refused.gross)
    if all(group.n for group in groups):
        more = max(max(MIN_EVENTS / group.n, MIN_DAYS / group.days) for group in groups)
        days = math.ceil(max(more * compared.days, MIN_DAYS))
        said += f", at this rate {days:,} days of recording with the model"
    return said + "."


def _bill(compared: Comparison) -> list[str]:
    bill = compared.bill
    if bill is None:
        return []
    asked = f"{judge_name(compared.judge)} was asked {bill.calls:,} time(s) about these pairs"
    if not bill.priced:
        return [f"{asked}; what that cost is not recorded."]
    known = "" if bill.priced == bill.calls else f" for the {bill.priced:,} with a known price"
    return [
        f"{asked}, which cost ${bill.cost_usd:,.2f}{known}: ${bill.cost_usd / compared.waves:,.4f} "
        "for each wave it judged, on top of the costs above."
    ]
