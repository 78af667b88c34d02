"""Who may look: everybody on this machine, and from elsewhere whoever knows the token."""

import hashlib
import hmac
import time

from liq_provider.core.durations import DAY_S

COOKIE = "liqtrend"
DAYS = 30


class Door:
    """
    :param token: ``LIQ_PROVIDER_TOKEN``; None: no login is asked for
    """

    def __init__(self, token: str | None) -> None:
        self._token = token

    @property
    def locked(self) -> bool:
        """Does it ask for a token?"""
        return self._token is not None

    def is_token(self, text: str) -> bool:
        """:return: whether that is the token; takes the same time for every wrong one"""
        return self._token is not None and hmac.compare_digest(
            _digest(text.strip()), _digest(self._token)
        )

    def pass_for(self, now_s: float | None = None) -> str:
        """
        :return: a cookie's value: until when it is good, signed with the token, so that it
            survives a restart and ends when the token is changed
        """
        until = int((time.time() if now_s is None else now_s) + DAYS * DAY_S)
        return f"{until}.{self._sign(str(until))}"

    def admits(self, cookie: str | None, bearer: str | None, now_s: float | None = None) -> bool:
        """
        :param bearer: value of the header ``Authorization`` after the word Bearer
        """
        if not self.locked:
            return True
        if bearer is not None and self.is_token(bearer):
            return True
        until, _, signature = (cookie or "").partition(".")
        if not until.isdigit() or not hmac.compare_digest(
            _digest(signature), _digest(self._sign(until))
        ):
            return False
        return int(until) > (time.time() if now_s is None else now_s)

    def _sign(self, text: str) -> str:
        key = (self._token or "").encode()
        return hmac.new(key, f"dashboard {text}".encode(), hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
