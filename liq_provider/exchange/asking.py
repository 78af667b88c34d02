"""One question to an exchange's REST API, and its answer or the reason why there is none."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from ccxt.base.errors import BaseError

from liq_provider.errors import FeedError

logger = logging.getLogger(__name__)


async def ask(
    asking: Executor, call: Callable[..., Any], *arguments: Any
) -> tuple[Any, str | None]:
    """
    :param asking: threads for REST APIs
    :return: what the exchange answered, or None and the reason
    """
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(asking, call, *arguments), None
    except (BaseError, FeedError) as error:
        return None, str(error)
    except Exception as error:
        # ccxt stumbles over answers that it does not expect in many ways.
        logger.exception("An answer of an exchange was not understood")
        return None, repr(error)
