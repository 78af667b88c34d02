"""
What a model said out loud: the JSON objects of a text, without its thoughts.

Local models think in tags, chat, and put fences around what they were asked for. Whatever is
written around an object is passed over; whatever is thought is not an answer, however much it
looks like one. Nothing is repaired: an object that does not parse makes the whole text useless,
because nobody can know whether it would have said the same.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from liq_provider.errors import ModelFailure

# So much may be said; thoughts are bounded by the tokens that they may take.
LONGEST = 8_000
_LONGEST_WITH_THOUGHTS = 400_000

_NAMES = r"(?:\w{1,12}:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad)"
# Headlines carry no angle brackets, so a model that repeats one cannot repeat these.
_OPEN = re.compile(
    rf"<{_NAMES}(?:\s[^<>]{{0,100}})?>|<\|begin_of_thought\|>|<\|START_THINKING\|>|<unused94>"
    r"|<\|?channel\|?>\s*(?:analysis|commentary|thought)",
    re.IGNORECASE,
)
_CLOSE = re.compile(
    rf"</{_NAMES}\s*>|<\|end_of_thought\|>|<\|END_THINKING\|>|<unused95>|<channel\|>"
    r"|<\|channel\|>\s*final",
    re.IGNORECASE,
)
# These it could; they count at the very beginning only, where such models write them.
_BARE = re.compile(r"(\[think\]|◁think▷).*?(\[/think\]|◁/think▷|\Z)", re.IGNORECASE | re.DOTALL)
_MARK = re.compile(rf"(?P<open>{_OPEN.pattern})|(?P<close>{_CLOSE.pattern})|\{{", re.IGNORECASE)
_BRACE = re.compile(r"[{}]")
_BEGUN = re.compile(r"\{\s*\"")  # an object that was meant as one
_DOUBLED = re.compile(r"\{\s*\{")  # templates write two, and so do their readers
_BLANK = "\ufeff\u200b \t\r\n"


@dataclass(slots=True)
class Spoken:
    """
    :param objects: JSON objects in their order; those within others are not listed
    :param length: characters that are not thought
    """

    objects: list[dict[str, Any]] = field(default_factory=list)
    length: int = 0


def spoken(text: str) -> Spoken:
    """
    :raises ModelFailure: empty, too long, only thought, or with an object that does not parse
    """
    text = text.strip(_BLANK)
    if not text:
        raise ModelFailure("empty", "the answer is empty")
    if len(text) > _LONGEST_WITH_THOUGHTS:
        raise ModelFailure("too long", f"{len(text):,} characters")
    bare = _BARE.match(text)
    said, end = Spoken(), 0 if bare is None else bare.end()
    while (mark := _MARK.search(text, end)) is not None:
        said.length += len(text[end : mark.start()].strip(_BLANK))
        if mark["close"]:
            # A template may have opened it, so what stands before it was thought.
            said, end = Spoken(), mark.end()
        elif mark["open"]:
            closed = _CLOSE.search(text, mark.end())
            end = len(text) if closed is None else closed.end()
        else:
            try:
                end = _object(text, mark.start(), said)
                _check(said)
            except ModelFailure:
                closed = _CLOSE.search(text, mark.end())
                if closed is None or _OPEN.search(text, mark.end(), closed.start()):
                    raise
                end = closed.start()
    said.length += len(text[end:].strip(_BLANK))
    _check(said)
    if not said.length:
        raise ModelFailure("malformed", "thoughts without an answer (llm.reasoning_tokens)")
    return said


def says_nothing(text: str) -> bool:
    """:return: whether it is blank, or thoughts only"""
    bare = _BARE.match(text := text.strip(_BLANK))
    begun = _OPEN.match(text) if bare is None else bare
    if begun is None:
        return not text
    closed = _CLOSE.search(text, begun.end()) if bare is None else bare
    return closed is None or not text[closed.end() :].strip(_BLANK)


def _check(said: Spoken) -> None:
    if said.length > LONGEST:
        raise ModelFailure("too long", f"more than {LONGEST:,} characters")


def _object(text: str, start: int, said: Spoken) -> int:
    """:return: where the object, or the brace that begins none, ends"""
    if _DOUBLED.match(text, start):
        return start + 1
    try:
        stated, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        end = 0 if _BEGUN.match(text, start) else _closing(text, start)
        if not end:
            raise ModelFailure("malformed", "the answer is no JSON") from None
    else:
        said.objects.append(stated)
    said.length += end - start
    return end


def _closing(text: str, start: int) -> int:
    """:return: where a brace that was no JSON is closed, 0 if nowhere"""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return brace.end()
    return 0


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    once = dict(pairs)
    if len(once) < len(pairs):
        raise ModelFailure("contradictory", "the answer says one thing twice")
    return once


_DECODER = json.JSONDecoder(object_pairs_hook=_once)
