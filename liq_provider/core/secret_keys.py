"""
The keys that come from the environment, and how they are kept out of everything else.

No setting, file, table or argument holds a key. Whatever comes from outside and may quote one
(error texts, a model's answer) passes through ``redact`` before it is logged or stored.
"""

import logging
import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

OPENAI = "OPENAI_API_KEY"
BRAVE = "BRAVE_API_KEY"
TOKEN = "LIQ_PROVIDER_TOKEN"  # noqa: S105 - the name of a variable

_NAMES = (OPENAI, BRAVE, TOKEN)

# Shorter values would blot out ordinary words.
_SHORTEST = 6


def key(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """:return: a key without surrounding white space, None if it is not set"""
    value = (os.environ if environ is None else environ).get(name, "").strip()
    return value or None


def redact(text: str, environ: Mapping[str, str] | None = None) -> str:
    """:return: the text with every key replaced by the name of its variable"""
    for name in _NAMES:
        value = key(name, environ)
        if value is not None and len(value) >= _SHORTEST:
            text = text.replace(value, f"[{name}]")
    return text


class RedactingFormatter(logging.Formatter):
    """Log lines and tracebacks without keys."""

    def format(self, record: logging.LogRecord) -> str:
        """:return: the formatted record"""
        return redact(super().format(record))


def may_travel(url: str) -> bool:
    """:return: whether a key may be sent there: encrypted, or not leaving the machine"""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def may_be_proxied(url: str) -> bool:
    """
    :return: whether a proxy of the environment may be used: one that is asked for an
        unencrypted page reads the key, and none is needed within the machine
    """
    parts = urlsplit(url)
    return parts.scheme == "https" and not is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """
    :param host: name or address
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
