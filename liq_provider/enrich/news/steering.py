"""
Does a headline speak to the judge instead of about the coin?

A list of known forms cannot be complete; it only takes away what such a headline is there for.
What it names may still speak against a wave, and the guard's cap holds for all of them.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

# Within one sentence, not across it.
_NEAR = r"[^.!?]{0,40}?"

_FORMS: Final = (
    # to leave the rules, or to follow others
    rf"\b(ignore|disregard|forget|overrule|override|bypass|obey){_NEAR}"
    r"\b(instructions?|matrix|rules?|guard|prompt|previous|above|table|order)\b",
    r"\bguard is (off|down|disabled)",
    # a voice of the conversation
    r"\b(system|assistant|developer|user|tool)( message| prompt)?\s*:",
    r"\b(system|developer) (message|prompt)\b",
    r"\bthe user (agreed|wants|said|asked|accepts)\b",
    r"\bas an? (ai|language model|assistant|judge)\b",
    rf"\byou (are|must|should|have to|will|may){_NEAR}"
    r"\b(judge|model|ai|mode|enter|treat|mark|classify|approve|agree|supports?)\b",
    rf"\b(treat|classify|mark|count|label|read) (this|it|that|these|the news|as){_NEAR}\bsupport",
    # the words of an answer
    rf"\b(answer|respond|reply|output|return|print){_NEAR}"
    r"\b(enter|supports?|json|confidence|high|yes|keys?)\b",
    r"\benter(ed|s)?\b[^.!?]{0,20}\b(high|medium|low|now)\b",
    r"\benter\W*$",
    r"\bconfidence\W{0,3}(is |of )?(high|medium|low)\b",
    r"\b(high|medium|low) confidence\b",
    r"\b(action|confidence|direction|symbol|\w+_(note|reason))\"?\s*[:=]",
    r"\bnews\"?\s*[:=]\s*\"?(supports?|contradicts|none|not.asked)\b",
    # the size or the side of a trade
    rf"\b(set|switch|flip|change|raise|use){_NEAR}\b(leverage|symbol|direction|stake|stops?)\b",
    # secrets
    r"\w+_api_key\b|\bapi.?keys?\b|\b(every|all|your|the) (key|password|secret)s?\b",
    # code
    r"[{}`]|\$\{|={3}|<\s*/?\s*\w|\bdrop table\b|\bjavascript:|;\s*--",
)
_STEERS: Final = re.compile("|".join(_FORMS))
_WORD = re.compile(r"[^\W\d_]{2,}")
_ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")


@lru_cache(maxsize=4_096)
def steers(text: str) -> bool:
    """
    :param text: one plain line
    :return: whether it has the form of an instruction, an answer, code, or a disguise of them
    """
    known = unicodedata.normalize("NFKC", text).casefold()
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
