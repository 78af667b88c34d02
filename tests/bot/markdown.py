"""Telegram's old Markdown, as its servers read it."""


class Refused(ValueError):
    """What Telegram answers to a message that it cannot read."""


def shown(text: str) -> str:
    """
    :return: what the reader of a message sees
    :raises Refused: an entity does not end, so the whole message is refused
    """
    seen, at = "", 0
    while at < len(text):
        sign = text[at]
        if sign == "\\" and text[at + 1 : at + 2] in ("_", "*", "`", "["):
            seen, at = seen + text[at + 1], at + 2
        elif sign not in "_*`[":
            seen, at = seen + sign, at + 1
        else:
            ending = "]" if sign == "[" else "```" if text.startswith("```", at) else sign
            opened = len(ending) if sign == "`" else 1
            end = text.find(ending, at + opened)
            if end < 0:
                raise Refused(
                    "Bad Request: can't parse entities: Can't find end of the entity starting "
                    f"at byte offset {len(text[:at].encode())}"
                )
            seen, at = seen + text[at + opened : end], end + len(ending)
    return seen
