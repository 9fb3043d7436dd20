"""The official Python client's own auth flows: each way begins with an address and nothing else, is refused, finds the plane's
metadata, gets a token, lists the tools and makes a call. Prints one line of JSON: for each way what was seen. The SDK has no
DPoP, so AGENT and SYSTEM are of an environment where tokens need not be bound.

    ISSUER, ADMIN_TOKEN, AGENT, SYSTEM, TOOL, CLIENT_ID, PERSON"""

import asyncio
import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import PrivateKeyJWTOAuthProvider, SignedJWTParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from registered import agreed, registered

ISSUER, AGENT, SYSTEM, TOOL = (os.environ[name] for name in ("ISSUER", "AGENT", "SYSTEM", "TOOL"))
ENDPOINT = f"{ISSUER}/mcp/{SYSTEM}"


class Memory:
    """What an application keeps."""

    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


def by_key(memory):
    signs = SignedJWTParameters(
        issuer=AGENT, subject=AGENT, signing_key=registered(ISSUER, AGENT), signing_algorithm="ES256"
    )
    return PrivateKeyJWTOAuthProvider(
        ENDPOINT, memory, AGENT, assertion_provider=signs.create_assertion_provider(), issuer=ISSUER
    )


def by_person(memory):
    metadata = OAuthClientMetadata(
        client_name="Ledger App",
        redirect_uris=["http://127.0.0.1:51006/callback"],
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"],
    )
    back = {}

    async def leave(at):
        back["to"] = await asyncio.to_thread(agreed, at, AGENT, [f"{SYSTEM}/{TOOL}"])

    async def come_back():
        answer = {name: values[0] for name, values in parse_qs(urlsplit(back["to"]).query).items()}
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))

    return OAuthClientProvider(
        ENDPOINT, metadata, memory, leave, come_back, client_metadata_url=os.environ["CLIENT_ID"]
    )


async def seen(make):
    memory, asked = Memory(), []

    async def note(response):
        request = response.request
        scheme = request.headers.get("authorization", "nothing").split(" ")[0]
        asked.append(f"{request.method} {request.url.path} with {scheme}: {response.status_code}")

    async with create_mcp_http_client(auth=make(memory)) as http:
        http.event_hooks = {"request": [], "response": [note]}
        async with Client(streamable_http_client(ENDPOINT, http_client=http), mode="auto") as client:
            tools = (await client.list_tools()).tools
            answer = await client.call_tool(TOOL, {})
            return {
                "protocol": client.protocol_version,
                "tools": [tool.name for tool in tools],
                "refused": bool(answer.is_error),
                "accounts": "operations" in answer.model_dump_json(),
                "token_type": memory.tokens.token_type,
                "asked": asked,
            }


async def main():
    ways = {}
    for name, make in (("private_key_jwt", by_key), ("person", by_person)):
        try:
            ways[name] = await asyncio.wait_for(seen(make), 60)
        except BaseException as error:  # noqa: BLE001 - the caller reads what went wrong
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            ways[name] = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(ways))
    sys.stdout.flush()


asyncio.run(main())
