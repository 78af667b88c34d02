"""What LiqTrend raises for the user to change something, as Freqtrade says it in one line."""

from freqtrade.exceptions import OperationalException

from liq_provider.errors import LiqError


def in_one_line(error: LiqError) -> LiqError:
    """
    Freqtrade logs a traceback of what a strategy raises, unless it is an exception of its own while
    the strategy is made, or a ValueError in its ``bot_start``.

    :return: one of the same kind, that is both as well
    """
    kind = type(error)
    if issubclass(kind, OperationalException):
        return error
    bases = (kind, OperationalException, ValueError)
    made: LiqError = type(kind.__name__, bases, {})(*error.args)
    return made
