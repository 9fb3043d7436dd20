// Everybody around the plane who is not the plane, in one process: an organisation's identity provider, a cluster that vouches
// for its pods, the software that people run agents in, and a person with a browser. Prints one line of JSON and serves until
// it is ended:
//   provider     the issuer people sign in with (OpenID Connect; also redeems ID tokens for ID-JAGs, RFC 8693)
//   cluster      the issuer of pods' tokens: {issuer, jwk}, with the private key, which is a test's to sign with; its SPIFFE
//                trust domain is acme.example, and the bundle is at /bundle
//   client_id    the software's metadata document, over https; its answers go to http://127.0.0.1:ANY/callback
//   person       POST {at, who, agent, tools, purpose} → {to}: what becomes of an authorization request in their browser
//   id_token     POST {who, audience} → {id_token}: what a client has after it signed a person in
//
//   CERTIFICATE, CERTIFICATE_KEY: files for https on 127.0.0.1
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { createServer as createSecure } from 'node:https'
import * as jose from 'jose'

const SECONDS = 300
const HOPS_MAX = 10
const now = () => Math.floor(Date.now() / 1000)

/** Serves `answer(request, url, body) → {status?, headers?, json?, text?}` on a free port; gives its address. */
async function serve(answer, secure) {
  const listener = async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const url = new URL(request.url, 'http://here')
    const { status = 200, headers = {}, json, text = '' } = await answer(request, url, body).catch((error) => ({
      status: 500, json: { error: 'server_error', error_description: String(error?.stack ?? error) },
    }))
    const type = json === undefined ? {} : { 'content-type': 'application/json', 'cache-control': 'no-store' }
    response.writeHead(status, { ...type, ...headers }).end(json === undefined ? text : JSON.stringify(json))
  }
  const server = secure ? createSecure(secure, listener) : createServer(listener)
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  return `http${secure ? 's' : ''}://127.0.0.1:${server.address().port}`
}

/** An issuer's key, public and private. */
async function key(alg) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: `${alg}-1`, alg, use: 'sig' }
  const sign = (typ, claims) => new jose.SignJWT(claims).setProtectedHeader({ alg, typ, kid: jwk.kid }).sign(privateKey)
  return { jwk, sign, secret: { ...(await jose.exportJWK(privateKey)), kid: jwk.kid, alg } }
}

// --- the identity provider ---

const people = { maria: { sub: '00u7', email: 'maria@acme.example' }, jonas: { sub: '00u8', email: 'jonas@acme.example' } }
const providerKey = await key('ES256')
const codes = new Map()
let provider = ''

const idToken = (who, audience, more) =>
  providerKey.sign('JWT', {
    iss: provider, aud: audience, iat: now(), exp: now() + SECONDS, auth_time: now() - 60, email_verified: true,
    ...people[who], ...more,
  })

/** Whoever asks is signed in already: `who` is a cookie of the test's own. */
function authorize(url, who) {
  const asked = Object.fromEntries(url.searchParams)
  const code = crypto.randomUUID()
  codes.set(code, { asked, who })
  const back = new URL(asked.redirect_uri)
  for (const [name, value] of Object.entries({ code, state: asked.state, iss: provider })) back.searchParams.set(name, value)
  return { status: 303, headers: { location: back.href } }
}

async function redeem(form) {
  const { asked, who } = codes.get(form.code) ?? {}
  codes.delete(form.code)
  const challenge = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(form.code_verifier ?? '')))
  const fits = asked?.redirect_uri === form.redirect_uri && asked?.code_challenge === challenge.toString('base64url')
  if (!fits || !form.client_assertion || form.client_secret) return { status: 400, json: { error: 'invalid_grant' } }
  const id_token = await idToken(who, asked.client_id, { nonce: asked.nonce })
  return { json: { access_token: crypto.randomUUID(), token_type: 'Bearer', expires_in: SECONDS, id_token } }
}

/** An ID token for an ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant section 4). */
async function assertion(form) {
  const { payload } = await jose.jwtVerify(form.subject_token, jose.createLocalJWKSet({ keys: [providerKey.jwk] }), { issuer: provider })
  const access_token = await providerKey.sign('oauth-id-jag+jwt', {
    iss: provider, sub: payload.sub, email: payload.email, auth_time: payload.auth_time, aud: form.audience,
    client_id: form.client_id, resource: form.resource, scope: form.scope, jti: crypto.randomUUID(), iat: now(), exp: now() + SECONDS,
  })
  const issued_token_type = 'urn:ietf:params:oauth:token-type:id-jag'
  return { json: { access_token, issued_token_type, token_type: 'N_A', expires_in: SECONDS } }
}

provider = await serve(async (request, url, body) => {
  const form = Object.fromEntries(new URLSearchParams(body))
  switch (url.pathname) {
    case '/.well-known/openid-configuration':
    case '/.well-known/oauth-authorization-server':
      return { json: {
        issuer: provider, jwks_uri: `${provider}/jwks`, authorization_endpoint: `${provider}/authorize`,
        token_endpoint: `${provider}/token`, authorization_response_iss_parameter_supported: true,
        response_types_supported: ['code'], code_challenge_methods_supported: ['S256'],
        subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['ES256'],
      } }
    case '/jwks':
      return { json: { keys: [providerKey.jwk] } }
    case '/authorize':
      return authorize(url, /who=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'maria')
    case '/token':
      return form.grant_type === 'authorization_code' ? redeem(form) : assertion(form)
    default:
      return { status: 404 }
  }
})

// --- the cluster ---

const clusterKey = await key('RS256')
let cluster = ''
const svidKey = { ...clusterKey.jwk, use: 'jwt-svid' }
cluster = await serve(async (_request, url) => {
  switch (url.pathname) {
    case '/jwks':
      return { json: { keys: [clusterKey.jwk] } }
    // The bundle of the SPIFFE trust domain that the cluster is.
    case '/bundle':
      return { json: { keys: [svidKey], spiffe_sequence: 1, spiffe_refresh_hint: SECONDS } }
    default:
      return { json: { issuer: cluster, jwks_uri: `${cluster}/jwks` } }
  }
})

// --- the software ---

const secure = { cert: await readFile(process.env.CERTIFICATE), key: await readFile(process.env.CERTIFICATE_KEY) }
let software = ''
software = await serve(async (_request, url) => {
  if (url.pathname === '/moved.json') return { status: 302, headers: { location: '/client.json' } }
  const path = url.pathname === '/lies.json' ? '/client.json' : url.pathname
  return { json: {
    client_id: `${software}${path}`, client_name: 'Ledger App', redirect_uris: ['http://127.0.0.1/callback'],
    token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
  } }
}, secure)

// --- the person and their browser ---

class Browser {
  cookies = new Map()

  async send(url, init = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie, ...init.headers } })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    const to = response.headers.get('location')
    return { status: response.status, to: to && new URL(to, url).href, text: await response.text() }
  }

  /** Follows redirects to the first page, or to the software's callback, which is not asked for. */
  async follow(url) {
    for (let hop = 0; hop < HOPS_MAX; hop += 1) {
      if (new URL(url).pathname === '/callback') return { to: url }
      const seen = await this.send(url)
      if (!seen.to) return { ...seen, at: url }
      url = seen.to
    }
    throw new Error(`it goes in circles: ${url}`)
  }
}

const value = (page, name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1]

/** Opens an authorization request, signs in where the page offers it, and agrees; or says no, without an agent. */
async function visit({ at, who = 'maria', agent, tools = [], purpose = 'interop' }) {
  const browser = new Browser()
  browser.cookies.set('who', who)
  let seen = await browser.follow(at)
  const offered = /href="(\/signin\/[^"]+)"/.exec(seen.text ?? '')?.[1]
  if (offered) seen = await browser.follow(new URL(offered.replaceAll('&amp;', '&').replaceAll('&#38;', '&'), at))
  const asked = value(seen.text ?? '', 'asked')
  if (!asked) return { to: seen.to, status: seen.status, page: seen.text }
  const form = new URLSearchParams({ asked })
  if (agent) form.set('agent', agent)
  if (agent) form.set('purpose', purpose)
  for (const tool of tools) form.append('tool', tool)
  const headers = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' }
  const place = new URL('/oauth/authorize', at)
  const { to, status, text } = await browser.send(place, { method: 'POST', headers, body: form.toString() })
  return { to, status, page: to ? undefined : text }
}

const here = await serve(async (_request, url, body) => {
  const asked = JSON.parse(body || '{}')
  if (url.pathname === '/person') return { json: await visit(asked) }
  return { json: { id_token: await idToken(asked.who ?? 'maria', asked.audience) } }
})

console.log(JSON.stringify({
  provider, cluster: { issuer: cluster, jwk: clusterKey.secret }, client_id: `${software}/client.json`,
  person: `${here}/person`, id_token: `${here}/id-token`,
}))
