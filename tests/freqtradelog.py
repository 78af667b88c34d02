"""What Freqtrade's log says besides what is nobody's error."""

import re

_STAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - "
# Freqtrade turns a signal into KeyboardInterrupt wherever it is. Within a database's call that
# leaves a session that cannot be committed, and Freqtrade logs the traceback of trying to.
_TORN_SESSION = re.compile(
    rf"{_STAMP}freqtrade\.freqtradebot - ERROR - Error during cleanup\n(?:(?!{_STAMP}).*\n)*", re.M
)


def without_torn_session(log: str) -> str:
    """:return: the log without that one record and its traceback"""
    return _TORN_SESSION.sub("", log)
