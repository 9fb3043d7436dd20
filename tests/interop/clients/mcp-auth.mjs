// The official TypeScript clients' own auth flows: each way begins with an address and nothing else, is refused, finds the
// plane's metadata, gets a token, lists the tools and makes a call. Prints one line of JSON: for each way what was seen.
//
//   node mcp-auth.mjs --sdk 1|2
//   ISSUER, ADMIN_TOKEN, AGENT, BOUND_AGENT, SYSTEM, BOUND_SYSTEM, TOOL, CLIENT_ID, PERSON, ID_TOKEN, PROVIDER
//
// AGENT and SYSTEM are of the sandbox: SDK 1 has no DPoP. BOUND_AGENT and BOUND_SYSTEM are of production, where tokens are bound.
import * as jose from 'jose'
import { agreed, idToken, registered } from './registered.mjs'

const SDK = process.argv.includes('--sdk') ? process.argv[process.argv.indexOf('--sdk') + 1] : '2'
const { ISSUER, AGENT, BOUND_AGENT, SYSTEM, BOUND_SYSTEM, TOOL, CLIENT_ID, PROVIDER } = process.env

async function sdk1() {
  const { Client } = await import('@modelcontextprotocol/sdk/client/index.js')
  const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js')
  const { UnauthorizedError } = await import('@modelcontextprotocol/sdk/client/auth.js')
  const { PrivateKeyJwtProvider } = await import('@modelcontextprotocol/sdk/client/auth-extensions.js')
  const make = () => new Client({ name: 'provost-interop', version: '0.0.0' })
  return { make, StreamableHTTPClientTransport, UnauthorizedError, PrivateKeyJwtProvider, protocol: (_, it) => it.protocolVersion }
}

async function sdk2() {
  const sdk = await import('@modelcontextprotocol/client')
  const make = () => new sdk.Client({ name: 'provost-interop', version: '0.0.0' }, { versionNegotiation: { mode: 'auto' } })
  return { ...sdk, make, protocol: (client) => client.getNegotiatedProtocolVersion() }
}

const sdk = await (SDK === '1' ? sdk1() : sdk2())
const asked = []

/** The SDK's fetch, noting what it asked for and how it was answered. */
async function fetchFn(url, init) {
  const response = await fetch(url, init)
  const { pathname } = new URL(url)
  const scheme = new Headers(init?.headers).get('authorization')?.split(' ')[0] ?? 'nothing'
  asked.push(`${init?.method ?? 'GET'} ${pathname} with ${scheme}: ${response.status}`)
  return response
}

/** Lists and calls, over a connection that began with a bare 401. `finish` is what a person does in between. */
async function way(system, authProvider, finish) {
  asked.length = 0
  const url = new URL(`/mcp/${system}`, ISSUER)
  let client = sdk.make()
  let transport = new sdk.StreamableHTTPClientTransport(url, { authProvider, fetch: fetchFn })
  try {
    try {
      await client.connect(transport)
    } catch (error) {
      // The SDK throws this once it has sent the person away.
      if (!finish || !(error instanceof sdk.UnauthorizedError)) throw error
      await finish(transport)
      client = sdk.make()
      transport = new sdk.StreamableHTTPClientTransport(url, { authProvider, fetch: fetchFn })
      await client.connect(transport)
    }
    const { tools } = await client.listTools()
    const answer = await client.callTool({ name: TOOL, arguments: {} })
    const tokens = await authProvider.tokens({ issuer: ISSUER })
    const after = tokens.refresh_token && system === SYSTEM ? await takenBack(client, authProvider, tokens) : undefined
    return {
      protocol: sdk.protocol(client, transport), tools: tools.map(({ name }) => name), refused: answer.isError ?? false,
      after, accounts: JSON.stringify(answer).includes('operations'), token_type: tokens.token_type, asked: [...asked],
    }
  } catch (error) {
    return { error: String(error?.stack ?? error), asked: [...asked] }
  } finally {
    await client.close().catch(() => {})
  }
}

/** The token is taken back in the middle of the work: the SDK has to find its own way on, with its refresh token. */
async function takenBack(client, authProvider, { access_token, refresh_token }) {
  const assertion = await new jose.SignJWT({}).setProtectedHeader({ alg: 'ES256' }).setIssuer(AGENT).setSubject(AGENT)
    .setAudience(ISSUER).setIssuedAt().setExpirationTime('1m').setJti(crypto.randomUUID()).sign(key.privateKey)
  const body = new URLSearchParams({
    token: access_token, client_assertion: assertion, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  })
  const { status } = await fetch(new URL('/oauth/revoke', ISSUER), { method: 'POST', body })
  const answer = await client.callTool({ name: TOOL, arguments: {} })
  const next = await authProvider.tokens({ issuer: ISSUER })
  return {
    revoked: status, accounts: JSON.stringify(answer).includes('operations'),
    refreshed: next.access_token !== access_token && next.refresh_token !== refresh_token,
  }
}

/** What an application keeps of a person's sign-in, as the SDK's interface asks for it. */
class InMemory {
  clientMetadataUrl = CLIENT_ID
  redirectUrl = 'http://127.0.0.1:51005/callback'
  clientMetadata = { client_name: 'Ledger App', redirect_uris: [this.redirectUrl], token_endpoint_auth_method: 'none' }
  kept = {}

  constructor(dpop) {
    if (dpop) this.dpop = () => dpop
  }

  state = () => (this.kept.state ??= crypto.randomUUID())
  clientInformation = () => this.kept.client
  saveClientInformation = (it) => void (this.kept.client = it)
  tokens = () => this.kept.tokens
  saveTokens = (it) => void (this.kept.tokens = it)
  redirectToAuthorization = (it) => void (this.kept.at = it)
  saveCodeVerifier = (it) => void (this.kept.verifier = it)
  codeVerifier = () => this.kept.verifier
  saveDiscoveryState = (it) => void (this.kept.discovery = it)
  discoveryState = () => this.kept.discovery
}

/** A person agrees in their browser, and the application finishes with what came back. */
const consent = (provider, agent, system) => async (transport) => {
  const back = await agreed(provider.kept.at, { agent, tools: [`${system}/${TOOL}`] })
  if (back.searchParams.get('state') !== provider.kept.state) throw new Error('the state is not ours')
  await (SDK === '1' ? transport.finishAuth(back.searchParams.get('code')) : transport.finishAuth(back.searchParams))
}

const ways = {}
const key = await registered(ISSUER, AGENT)
// Its keys are being rotated: there is a second one, and the SDKs do not say in `kid` which they signed with.
await registered(ISSUER, AGENT)
const signs = { clientId: AGENT, privateKey: key.pem, algorithm: 'ES256', expectedIssuer: ISSUER }
ways.private_key_jwt = await way(SYSTEM, new sdk.PrivateKeyJwtProvider(signs))
const app = new InMemory()
ways.person = await way(SYSTEM, app, consent(app, AGENT, SYSTEM))
if (SDK === '2') {
  const bound = await registered(ISSUER, BOUND_AGENT)
  const provider = new sdk.PrivateKeyJwtProvider({ ...signs, clientId: BOUND_AGENT, privateKey: bound.pem })
  const session = await sdk.DpopSession.create()
  provider.dpop = () => session
  ways.private_key_jwt_and_dpop = await way(BOUND_SYSTEM, provider)
  const boundApp = new InMemory(await sdk.DpopSession.create())
  ways.person_and_dpop = await way(BOUND_SYSTEM, boundApp, consent(boundApp, BOUND_AGENT, BOUND_SYSTEM))
  // Enterprise-managed authorization: the application signed the person in itself, and their provider says they may.
  const crossApp = new sdk.CrossAppAccessProvider({
    clientId: AGENT, expectedIssuer: ISSUER,
    assertion: async ({ authorizationServerUrl, resourceUrl, scope }) => {
      const granted = await sdk.discoverAndRequestJwtAuthGrant({
        idpUrl: PROVIDER, audience: authorizationServerUrl, resource: resourceUrl, scope, clientId: AGENT, idToken: await idToken(AGENT),
      })
      return granted.jwtAuthGrant
    },
  })
  // The provider knows client secrets only; there are none here, and the SDK's interface has a place for another proof.
  crossApp.addClientAuthentication = sdk.createPrivateKeyJwtAuth({ issuer: AGENT, subject: AGENT, privateKey: key.pem, alg: 'ES256' })
  ways.cross_app = await way(SYSTEM, crossApp)
}
console.log(JSON.stringify(ways))
// A session's stream may still be open.
process.exit(0)
