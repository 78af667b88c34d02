"""Models as they are sold since the end of 2026, on loopback: they reason unless told not to."""

from typing import Any

from aiohttp import web

from liq_provider.simulator.stand_in_model import completion, well_behaved

THOUGHTS = 1_800  # tokens
_KNOWN = ("none", "low", "medium", "high")


def refused(name: str, message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": name}
    return web.json_response({"error": error}, status=400)


async def reasoning(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Thinks at ``medium`` by default, and takes ``temperature`` only when it does not think."""
    effort = body.get("reasoning_effort", "medium")
    if "max_tokens" in body:
        return refused("max_tokens", "Use 'max_completion_tokens' instead of 'max_tokens'.")
    if effort not in _KNOWN:
        return refused("reasoning_effort", f"'reasoning_effort' does not support '{effort}'.")
    if effort == "none":
        return await well_behaved(request, body)
    if "temperature" in body:
        message = "'temperature' is not supported unless 'reasoning_effort' is 'none'."
        return refused("temperature", message)
    if body["max_completion_tokens"] <= THOUGHTS:
        answer = completion("", finish_reason="length")
        answer["usage"]["completion_tokens"] = body["max_completion_tokens"]
        return web.json_response(answer)
    return await well_behaved(request, body)


async def knows_no_effort(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """An older server."""
    if "reasoning_effort" in body:
        return refused("reasoning_effort", "Unrecognized request argument: reasoning_effort")
    return await well_behaved(request, body)


async def must_think(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """A model that cannot leave it, and is told to."""
    if body.get("reasoning_effort") == "none":
        return refused("reasoning_effort", "'reasoning_effort' does not support 'none'.")
    return await reasoning(request, body)
