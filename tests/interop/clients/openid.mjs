// openid-client against the plane: discovery, client credentials with private_key_jwt and DPoP, a call with the bound token,
// introspection, revocation; then authorization code with PKCE and DPoP as a client that nobody registered, whose id is the
// address of its metadata, and refresh with rotation; then a workload with the JWT-SVID of its mesh. Prints one line of JSON; ends
// with 1 when the library objects.
//   ISSUER, ADMIN_TOKEN, AGENT, SYSTEM, TOOL, CLIENT_ID, PERSON, CLUSTER
import * as jose from 'jose'
import * as client from 'openid-client'
import { agreed, registered } from './registered.mjs'

const { AGENT, SYSTEM, TOOL, CLIENT_ID } = process.env
const issuer = new URL(process.env.ISSUER)
const resource = new URL(`/mcp/${SYSTEM}`, issuer).href
const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }

/** The endpoint's answer to one call with a bound token. */
async function called(config, access_token, DPoP) {
  const params = { name: TOOL, arguments: {}, _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {},
  } }
  const headers = new Headers({
    'content-type': 'application/json', accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': TOOL,
  })
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
  try {
    const response = await client.fetchProtectedResource(config, access_token, new URL(resource), 'POST', body, headers, { DPoP })
    return { status: response.status, text: await response.text() }
  } catch (error) {
    // The library reads `WWW-Authenticate` and throws what it says.
    if (!(error instanceof client.WWWAuthenticateChallengeError)) throw error
    return { status: error.status, challenge: error.cause[0].parameters }
  }
}

async function itself() {
  const key = await registered(issuer, AGENT)
  const config = await client.discovery(issuer, AGENT, undefined, client.PrivateKeyJwt(key.privateKey), options)
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
  const granted = await client.clientCredentialsGrant(config, { resource, purpose: 'openid-client' }, { DPoP })
  const call = await called(config, granted.access_token, DPoP)
  const described = await fetch(new URL(`/.well-known/oauth-protected-resource/mcp/${SYSTEM}`, issuer))
  const before = await client.tokenIntrospection(config, granted.access_token)
  await client.tokenRevocation(config, granted.access_token)
  const after = await client.tokenIntrospection(config, granted.access_token)
  const late = await called(config, granted.access_token, DPoP)
  return {
    token_type: granted.token_type, bound: before.cnf?.jkt !== undefined, aud: before.aud, active: [before.active, after.active],
    proofs: (await described.json()).dpop_signing_alg_values_supported, called: call.status, accounts: call.text?.includes('operations'), late: late.status, challenge: late.challenge?.error,
  }
}

/** Authenticates with an SVID as draft-ietf-oauth-spiffe-client-auth says: the library has a place for ways it does not know. */
const withSvid = (svid) => (_server, _client, body) => {
  body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe')
  body.set('client_assertion', svid)
}

async function aWorkload() {
  const { jwk } = JSON.parse(process.env.CLUSTER)
  const key = await jose.importJWK(jwk, jwk.alg)
  const svid = (more) =>
    new jose.SignJWT({ sub: 'spiffe://acme.example/ns/payments/sa/clerk', aud: [process.env.ISSUER], ...more })
      .setProtectedHeader({ alg: jwk.alg, typ: 'JWT', kid: jwk.kid }).setIssuedAt().setExpirationTime('5m').sign(key)
  const granted = async (more) => {
    const config = await client.discovery(issuer, 'pod', undefined, withSvid(await svid(more)), options)
    return client.clientCredentialsGrant(config).then(({ access_token }) => jose.decodeJwt(access_token).sub, ({ error }) => error)
  }
  const config = await client.discovery(issuer, 'pod', undefined, client.None(), options)
  return {
    announced: config.serverMetadata().token_endpoint_auth_methods_supported.includes('spiffe_jwt'), itself: await granted({}),
    another: await granted({ sub: 'spiffe://acme.example/ns/payments/sa/miner' }),
    of_another_domain: await granted({ sub: 'spiffe://evil.example/ns/payments/sa/clerk' }),
    for_another: await granted({ aud: ['https://other.example'] }),
  }
}

async function forAPerson() {
  const config = await client.discovery(issuer, CLIENT_ID, undefined, client.None(), options)
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const at = client.buildAuthorizationUrl(config, {
    redirect_uri: 'http://127.0.0.1:51004/callback', resource, state: expectedState, code_challenge_method: 'S256',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), dpop_jkt: await DPoP.calculateThumbprint(),
  })
  const checks = { pkceCodeVerifier, expectedState }
  const no = await client.authorizationCodeGrant(config, await agreed(at, {}), checks).catch((error) => error.error)
  const back = await agreed(at, { agent: AGENT, tools: [`${SYSTEM}/${TOOL}`] })
  // The same answer, said to be somebody else's: the library has to notice, and it can only because the plane says who it is.
  const mixed = new URL(back)
  mixed.searchParams.set('iss', 'https://evil.example')
  const noticed = await client.authorizationCodeGrant(config, mixed, checks, { resource }, { DPoP }).then(() => false, () => true)
  const granted = await client.authorizationCodeGrant(config, back, checks, { resource }, { DPoP })
  const first = await called(config, granted.access_token, DPoP)
  const second = await client.refreshTokenGrant(config, granted.refresh_token, { resource }, { DPoP })
  const again = await called(config, second.access_token, DPoP)
  const stolen = await client.refreshTokenGrant(config, granted.refresh_token, { resource }, { DPoP }).then(
    () => 'granted', (error) => error.error,
  )
  const after = await called(config, second.access_token, DPoP)
  return {
    token_type: granted.token_type, said_no: no, mixed_up_noticed: noticed, called: [first.status, again.status],
    rotated: second.refresh_token !== granted.refresh_token, task: [granted.task, second.task], used_again: stolen, after: after.status,
  }
}

console.log(JSON.stringify({ itself: await itself(), for_a_person: await forAPerson(), a_workload: await aWorkload() }))
