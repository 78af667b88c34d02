"""
Does a headline speak to the judge instead of about the coin?

A list of known forms cannot be complete. What it names is not shown to a model, and while one is
among the news of a coin, none of that can support a wave: whoever wrote it may have written others.
"""

import re
import unicodedata
from typing import Final

# Within one sentence, not across it.
_NEAR = r"[^.!?;]{0,40}?"
# An order begins a sentence, or follows one of these.
_ORDER = r"(?:^|[.:,;!?\-]\s*|\b(?:should|must|please|to|not|always|just|now) )"

_FORMS: Final = (
    # to leave the rules, or to follow others
    rf"\b(ignore|disregard|forget|overrule|override|bypass|obey)\b{_NEAR}"
    r"\b(instructions?|matrix|guard|prompt|previous|decision table|headlines|"
    r"(all|the|any|your|these|those|other) (rules?|orders?|above|news))\b",
    r"\b(ignore|disregard|forget|obey) (all |the |any )?(rules?|orders?|above)\b",
    r"\bguard is (off|down|disabled)",
    # a voice of the conversation
    r"(^|[\s:(\[])(system|assistant)( message| prompt)?\s*:",
    r"\b(system|developer) (message|prompt)\b|^system\b|\bsystem(>|&gt;| enter)",
    r"\bthe user (agreed|wants|said|asked|accepts)\b",
    r"\bas an? (ai|language model|assistant)\b",
    rf"\b(ai|llms?|bots?|models?|readers)\b{_NEAR}\b(say|answer|reply|choose|select|pick|regard)\b"
    rf"{_NEAR}\b(supports?|enter|confidence|backing)\b",
    rf"\byou (are|must|should|have to|need to|will|may)\b{_NEAR}"
    r"\b(test mode|enter|treat|mark|classify|approve|say|supports)\b",
    rf"\b(treat|classify|mark|count|label|read) (this|it|that|these|the news|as)\b{_NEAR}\bsupport",
    r"\bnote to (the )?(judge|model|ai)\b",
    # the words of an answer
    rf"\byour (answer|verdict|decision|opinion|confidence)\b{_NEAR}\b(supports?|enter|high|yes)\b",
    rf"{_ORDER}(say|choose|select|pick|set|put|answer|respond|reply|output|return|print)\b{_NEAR}"
    r"\b(enter|supports|json|(high|top|full) confidence|your|every key|keys)\b",
    r"\benter(ed)? (with |at |in )?(high|medium|low|now|top)\b|\bmust be entered\b|\benter\W*$",
    r"\bconfidence\W{0,3}(is |of )?(high|medium|low|top|max)\b",
    # the name of an answer where no sentence would have it, in any language around it
    r"\b(is|be|with|answer) supports\b(?!\s+\w)|\bsupports\W*$",
    r"\"(action|confidence|direction|symbol|news|\w+_(note|reason))\"\s*:",
    r"\bnews\"?\s*[:=]\s*\"?(supports|contradicts|not.asked)\b",
    # the size or the side of a trade
    r"\b(set|raise|change|increase) (the |your )?leverage\b|\b(switch|change|set) (the )?symbol\b",
    r"\b(flip|switch|change) (the )?direction to (long|short)\b",
    # secrets; a name in brackets is what we put where one of ours was
    r"(?<![\[\w])\w+_api_key\b|\b(reveal|print|show|leak|send|tell)\b[^.!?]{0,30}\bkeys?\b",
    # code
    r"[{}`]|\$\{|={3}|\bdrop table\b|\bjavascript:|;\s*--",
)
_STEERS: Final = re.compile("|".join(_FORMS))
_WORD = re.compile(r"[^\W\d_]{2,}")
_ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")


def steers(text: str) -> bool:
    """
    :param text: one plain line
    :return: whether it has the form of an instruction, an answer, code, or a disguise of them
    """
    # Marks that are not seen would break the words that are looked for.
    spread = unicodedata.normalize("NFKD", text)
    known = "".join(c for c in spread if not unicodedata.category(c).startswith("M")).casefold()
    # Letters may have been written from right to left to be read as words.
    return any(_STEERS.search(form) for form in (known, known[::-1])) or _disguised(known)


def _disguised(text: str) -> bool:
    """A word of letters of several alphabets that look alike."""
    for word in _WORD.findall(text):
        if not word.isascii():
            names = {unicodedata.name(letter, "?").partition(" ")[0] for letter in word}
            if len(names.intersection(_ALPHABETS)) > 1:
                return True
    return False
