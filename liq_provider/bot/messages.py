"""
A message of the bot: short, and safe in the Markdown that Telegram reads.

Freqtrade sends them in Telegram's old Markdown, where a lone underscore, star or bracket has the
whole message refused, and where a stranger's text could bring links, mentions and commands. So
keys, error texts and what a model said stand in code spans, in which nothing has a meaning.
"""

from dataclasses import dataclass

from liq_provider.core.plaintext import plain

LIMIT = 299

_MARKUP = "_*["


@dataclass(frozen=True, slots=True)
class Message:
    """
    :param text: for Telegram and webhooks
    :param warning: something is wrong, for the level of the log line
    :param send: False for what the settings keep in the log
    :param logged: what the log says instead, where the text had to be cut
    """

    text: str
    warning: bool = False
    send: bool = True
    logged: str | None = None

    @property
    def sendable(self) -> str:
        """The text; all of it in a code span, should it hold markup that was not foreseen."""
        outside = self.text.split("`")[::2]
        balanced = self.text.count("`") % 2 == 0
        if balanced and len(self.text) <= LIMIT and not any(c in "".join(outside) for c in _MARKUP):
            return self.text
        return code(self.text, LIMIT - 2)


def code(text: str, limit: int) -> str:
    """
    :param limit: characters of the text; what is cut off is replaced by an ellipsis
    :return: one plain line in a code span
    """
    return f"`{plain(text, limit) or '-'}`"


def plain_or_code(text: str) -> str:
    """
    :param text: our own words
    :return: in a code span if there is a key in them
    """
    return code(text, LIMIT) if any(c in text for c in _MARKUP) else text


def with_tail(head: str, tail: str) -> str:
    """:return: our own words, then as much of somebody else's as there is room for"""
    room = LIMIT - len(head) - 2
    return head + code(tail, room) if room > 0 else head
