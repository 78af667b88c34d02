"""Freqtrade's own REST API: what lets strangers in, once it is turned on."""

from collections.abc import Iterator, Mapping
from typing import Any

# Freqtrade signs logins with this key: who knows it is logged in. It needs as many characters.
_SIGNING_CHARACTERS = 32

# In Freqtrade's schema, its templates and its documentation, for everybody to read.
_PUBLISHED_KEYS = frozenset(
    {"super-secret", "somethingrandom", "somethingRandomSomethingRandom123"}
)
_PUBLISHED_PASSWORDS = frozenset({"SuperSecurePassword", "SuperSecret1!"})
_PUBLISHED_TOKENS = frozenset(
    {"sercet_Ws_t0ken", "secret_ws_t0ken.", "hZ-y58LXyX_HZ8O1cJzVyN6ePWrLpNQv4Q"}
)

MAKE_KEY = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


def api_remarks(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """
    :param config: Freqtrade's, the environment included
    :return: key, what is wrong with it, and the remedy
    """
    api = config.get("api_server") or {}
    if not api.get("enabled"):
        return
    key = str(api.get("jwt_secret_key") or "")
    wrong = None
    if not key:
        wrong = "not set, so Freqtrade's published default signs the logins"
    elif key in _PUBLISHED_KEYS:
        wrong = "a published default: whoever knows it is logged in"
    elif len(key) < _SIGNING_CHARACTERS:
        wrong = f"{len(key)} characters, Freqtrade needs {_SIGNING_CHARACTERS}"
    if wrong is not None:
        yield (
            "api_server.jwt_secret_key",
            wrong,
            f"set FREQTRADE__API_SERVER__JWT_SECRET_KEY to what this prints: {MAKE_KEY}",
        )
    password = str(api.get("password") or "")
    if not password or password in _PUBLISHED_PASSWORDS:
        yield (
            "api_server.password",
            "a published one" if password else "empty: everybody may log in",
            "set FREQTRADE__API_SERVER__PASSWORD to one of your own",
        )
    tokens = api.get("ws_token") or []
    if _PUBLISHED_TOKENS & set([tokens] if isinstance(tokens, str) else tokens):
        yield (
            "api_server.ws_token",
            "a published one",
            f"take it out, or set it to what this prints: {MAKE_KEY}",
        )
