"""A key that the plane knows, and a person who agrees: what registered.mjs does, for Python."""

import json
import os
import urllib.request

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey


def posted(url, value, headers=None):
    headers = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, json.dumps(value).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def registered(issuer, agent):
    """Registers a fresh ES256 key for `agent`; gives its private half as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    administrator = {"authorization": f"Bearer {os.environ['ADMIN_TOKEN']}"}
    jwk = ECKey.import_key(pem).as_dict(private=False)
    posted(f"{issuer}/api/v1/agents/{agent}/keys", {"jwk": jwk, "reason": "interop", "person": "maria", "break_glass": True}, administrator)
    return pem


def agreed(at, agent, tools, who="maria", purpose="interop"):
    """Where a person's browser ends when they agree to this."""
    answer = posted(os.environ["PERSON"], {"at": at, "agent": agent, "tools": tools, "who": who, "purpose": purpose})
    if not answer.get("to"):
        raise RuntimeError(f"the person was not asked: {answer}")
    return answer["to"]
