"""Authlib against the plane: client credentials with private_key_jwt, a pod's token as the authorization grant of RFC 7523,
and the plane's access tokens judged as a resource server that nobody told about Provost judges them (RFC 9068). Prints one
line of JSON; ends with 1 when the library objects.

    ISSUER, ADMIN_TOKEN, AGENT, SYSTEM, CLUSTER (JSON: issuer and private jwk), NAMESPACE, ACCOUNT, ALGORITHM"""

import json
import os
import time

import requests
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2.rfc6750.errors import InvalidTokenError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from registered import registered

ISSUER, AGENT = os.environ["ISSUER"], os.environ["AGENT"]
RESOURCE = f"{ISSUER}/mcp/{os.environ['SYSTEM']}"
ALGORITHM = os.environ["ALGORITHM"]


def discovered():
    """The metadata, judged by the library."""
    metadata = AuthorizationServerMetadata(requests.get(get_well_known_url(ISSUER, external=True), timeout=30).json())
    for name in AuthorizationServerMetadata.REGISTRY_KEYS:
        try:
            getattr(metadata, f"validate_{name}", lambda: None)()
        except ValueError as error:
            # The library wants https also of a plane on this machine; in all else it has to agree.
            if "https" not in str(error):
                raise
    assert metadata["issuer"] == ISSUER
    return metadata


def by_key(metadata):
    """A token for the agent's own work."""
    key = ECKey.import_key(registered(ISSUER, AGENT))
    session = OAuth2Session(AGENT, key, token_endpoint_auth_method="private_key_jwt")
    # The library's own choices are the token endpoint as audience and an hour; the plane takes its issuer and minutes only.
    soon = {"exp": int(time.time()) + 60}
    session.register_client_auth_method(PrivateKeyJWT(metadata["issuer"], alg="ES256", claims=soon))
    return session.fetch_token(
        metadata["token_endpoint"], grant_type="client_credentials", resource=RESOURCE, purpose="authlib"
    )


def by_platform(metadata):
    """A token for a pod, with what its cluster says of it and no client authentication."""
    cluster = json.loads(os.environ["CLUSTER"])
    namespace, account = os.environ["NAMESPACE"], os.environ["ACCOUNT"]
    pod = {
        "namespace": namespace,
        "node": {"name": "n1", "uid": "1"},
        "pod": {"name": f"{account}-0", "uid": "2"},
        "serviceaccount": {"name": account, "uid": "3"},
    }
    session = AssertionSession(
        metadata["token_endpoint"],
        issuer=cluster["issuer"],
        subject=f"system:serviceaccount:{namespace}:{account}",
        audience=metadata["issuer"],
        claims={"kubernetes.io": pod, "nbf": int(time.time()) - 5},
        key=RSAKey.import_key(cluster["jwk"]),
        header={"alg": "RS256", "kid": cluster["jwk"]["kid"]},
    )
    return session.refresh_token()


class ResourceServer(JWTBearerTokenValidator):
    """A resource server with the library's rules; only the algorithm is its own to choose."""

    def authenticate_token(self, token_string):
        essential = ["exp", "sub", "client_id", "iat", "jti"]
        options = {name: {"essential": True} for name in essential}
        options |= {"iss": {"essential": True, "value": self.issuer}, "aud": {"essential": True, "value": self.resource_server}}
        try:
            token = jwt.decode(token_string, self.get_jwks(), algorithms=[ALGORITHM])
        except JoseError as error:
            raise InvalidTokenError() from error
        return JWTAccessTokenClaims(token.claims, token.header, options)

    def get_jwks(self):
        return KeySet.import_key_set(requests.get(f"{ISSUER}/oauth/jwks", timeout=30).json())


def judged(token, resource=RESOURCE, issuer=ISSUER):
    """Whether a resource server takes the token, and its claims."""
    server = ResourceServer(issuer, resource)
    try:
        claims = server.authenticate_token(token)
        server.validate_token(claims, None, None)
    except InvalidTokenError:
        return None
    return claims


def main():
    metadata = discovered()
    own, pod = by_key(metadata), by_platform(metadata)
    claims = judged(own["access_token"])
    head, body, signature = own["access_token"].split(".")
    swapped = pod["access_token"].split(".")[1]
    whole = judged(pod["access_token"], f"{ISSUER}/mcp")
    print(
        json.dumps(
            {
                "own": own["token_type"],
                "pod": pod["token_type"],
                "header": claims and claims.header,
                "claims": claims and dict(claims),
                "pod_client": whole and whole["client_id"],
                "taken": {
                    "for another resource": judged(own["access_token"], f"{ISSUER}/mcp/other") is not None,
                    "of another issuer": judged(own["access_token"], issuer="https://evil.example") is not None,
                    "with another's claims": judged(f"{head}.{swapped}.{signature}") is not None,
                },
            }
        )
    )


main()
