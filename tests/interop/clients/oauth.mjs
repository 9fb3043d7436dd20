// An independent OAuth client against the plane's authorization server: discovery, client_credentials with private_key_jwt
// and DPoP, token exchange, introspection, revocation. Prints one line of JSON; ends with 1 when the library objects.
//   ISSUER, ADMIN_TOKEN (to register the keys), AGENT, SUB_AGENT
import * as oauth from 'oauth4webapi'

const issuer = new URL(process.env.ISSUER)
const plain = { [oauth.allowInsecureRequests]: true }
const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plain })
const server = await oauth.processDiscoveryResponse(issuer, found)

/** A client of this name with a fresh ES256 key that the plane knows. */
async function register(name) {
  const pair = await oauth.generateKeyPair('ES256', { extractable: true })
  const response = await fetch(new URL(`/api/v1/agents/${name}/keys`, issuer), {
    method: 'POST',
    headers: { authorization: `Bearer ${process.env.ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ jwk: await crypto.subtle.exportKey('jwk', pair.publicKey), reason: 'interop', person: 'maria', break_glass: true }),
  })
  if (!response.ok) throw new Error(await response.text())
  const client = { client_id: name }
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  return { client, auth: oauth.PrivateKeyJwt(pair.privateKey), DPoP }
}

const { client, auth, DPoP } = await register(process.env.AGENT)
const wanted = new URLSearchParams({ resource: new URL('/mcp/bank', issuer).href, purpose: 'interop', may_act: process.env.SUB_AGENT })
const granted = await oauth.processClientCredentialsResponse(
  server,
  client,
  await oauth.clientCredentialsGrantRequest(server, client, auth, wanted, { DPoP, ...plain }),
)

const sub = await register(process.env.SUB_AGENT)
const exchange = new URLSearchParams({
  subject_token: granted.access_token,
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
})
const handed = await oauth.processGenericTokenEndpointResponse(
  server,
  sub.client,
  await oauth.genericTokenEndpointRequest(
    server, sub.client, sub.auth, 'urn:ietf:params:oauth:grant-type:token-exchange', exchange,
    { DPoP: sub.DPoP, ...plain },
  ),
)

const ask = async () =>
  oauth.processIntrospectionResponse(
    server, client, await oauth.introspectionRequest(server, client, auth, granted.access_token, plain),
  )
const before = await ask()
await oauth.processRevocationResponse(
  await oauth.revocationRequest(server, client, auth, granted.access_token, plain),
)
const after = await ask()
console.log(JSON.stringify({
  token_type: granted.token_type, expires_in: granted.expires_in,
  handed: handed.issued_token_type, bound: before.cnf?.jkt !== undefined,
  active_before: before.active, active_after: after.active,
}))
