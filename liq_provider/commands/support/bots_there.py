"""Which bots are there, as they told of themselves."""

import time
from typing import Any

from liq_provider.commands.support.context import Context
from liq_provider.commands.support.entry_possible import alive
from liq_provider.store.reader import Reader


def bots_there(context: Context, reader: Reader) -> list[dict[str, Any]]:
    """
    :return: what the bots of this machine, or those that the sidecar sees on its own, told of
        themselves
    """
    sidecar = reader.states(["sidecar"]).get("sidecar") or {}
    bots = context.files.bots()
    if not bots and alive(sidecar, int(time.time() * 1000)):
        bots = list(sidecar.get("bots", ()))
    return bots
