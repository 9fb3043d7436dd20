"""The official Python client against the gateway: lists the tools, makes the calls it is given, and prints
one JSON object of what it saw. Environment, arguments and output are those of ts-client.mjs; the revision is
chosen with MODE (auto, legacy, 2026-07-28)."""

import asyncio
import json
import os
import sys
import time
from importlib.metadata import version
from urllib.parse import quote

import mcp_types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

PAGES_MAX = 100


def target():
    """URL and token of `--direct`, or of the gateway."""
    env = os.environ
    if "--direct" in sys.argv:
        return env["UPSTREAM_URL"], env.get("UPSTREAM_TOKEN")
    system = quote(env.get("SYSTEM", "fixture"), safe="")
    return f"{env['GATEWAY_URL'].rstrip('/')}/mcp/{system}", env.get("TOKEN")


def plain(model):
    """A model of the SDK as the JSON that was on the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def list_all(client):
    tools, cursor = [], None
    for _ in range(PAGES_MAX):
        page = await client.list_tools(cursor=cursor)
        tools += [plain(tool) for tool in page.tools]
        if page.next_cursor is None or page.next_cursor == cursor:
            break
        cursor = page.next_cursor
    return tools


async def call(client, wanted):
    started, progress = time.monotonic(), []

    def elapsed_ms():
        return round((time.monotonic() - started) * 1000)

    async def on_progress(done, total, message):
        told = {"progress": done, "total": total, "message": message, "at_ms": elapsed_ms()}
        progress.append(told)

    seen = {"name": wanted["name"]}
    limit = wanted.get("cancel_after_ms")
    try:
        async with asyncio.timeout(None if limit is None else limit / 1000):
            answer = await client.call_tool(
                wanted["name"], wanted.get("arguments", {}), progress_callback=on_progress
            )
        seen["result"] = plain(answer)
    except Exception as error:
        seen["error"] = described(error)
    return {**seen, "progress": progress, "ms": elapsed_ms()}


def described(error):
    """The first real cause: the SDK's task groups wrap what happened inside them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    found = getattr(error, "error", None)
    return {
        "name": type(error).__name__,
        "code": getattr(found, "code", None),
        "message": str(error),
        "data": getattr(found, "data", None),
    }


async def talk(seen):
    url, token = target()
    answer = os.environ.get("ELICIT")

    async def on_elicit(_context, params):
        seen["elicitations"].append(plain(params))
        filled = answer == "accept" and getattr(params, "mode", "form") != "url"
        content = json.loads(os.environ.get("ELICIT_CONTENT", "{}")) if filled else None
        return mcp_types.ElicitResult(action=answer, content=content)

    async def on_message(message):
        if isinstance(message, mcp_types.ServerNotification) or hasattr(message, "method"):
            told = plain(message)
            if told.get("method") != "notifications/progress":
                seen["notifications"].append(told)

    headers = {"Authorization": f"Bearer {token}"} if token else None
    async with create_mcp_http_client(headers=headers) as http:
        options = {"mode": os.environ.get("MODE", "auto"), "message_handler": on_message}
        if answer:
            options["elicitation_callback"] = on_elicit
        async with Client(streamable_http_client(url, http_client=http), **options) as client:
            seen["protocol"] = client.protocol_version
            seen["server"] = client.server_info and plain(client.server_info)
            seen["tools"] = await list_all(client)
            for wanted in json.loads(os.environ.get("CALLS", "[]")):
                seen["calls"].append(await call(client, wanted))
            await asyncio.sleep(int(os.environ.get("LINGER_MS", "0")) / 1000)


def main():
    seen = {"client": f"mcp {version('mcp')}", "calls": [], "elicitations": [], "notifications": []}
    try:
        asyncio.run(talk(seen))
    except Exception as error:
        seen["error"] = described(error)
    print(json.dumps(seen))


main()
