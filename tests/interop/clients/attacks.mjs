// The plane is not fooled: what somebody gets who holds a code, a token or a grant and uses it where it does not belong. Every
// request is a real one at a real face, and each attack stands beside the honest use that it differs from in one thing. Prints
// one line of JSON: rows of {what, wanted, got}, and how many calls should have reached the bank.
//   ISSUER, ADMIN_TOKEN, CLIENT_ID, PERSON, ID_TOKEN, PROVIDER, CLUSTER
import * as jose from 'jose'
import { agreed, idToken, registered } from './registered.mjs'

const { ISSUER, CLIENT_ID, PROVIDER } = process.env
const JWT = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token'
const REDIRECT = 'http://127.0.0.1:51007/callback'
const lab = `${ISSUER}/mcp/lab`
const bench = `${ISSUER}/mcp/bench`
const otherSoftware = CLIENT_ID.replace('client.json', 'other.json')

const rows = []
let calls = 0
const row = (what, wanted, got) => rows.push({ what, wanted, got })

// --- requests ---

const now = () => Math.floor(Date.now() / 1000)
const s256 = async (text) => Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('base64url')

async function post(path, form, headers = {}) {
  const response = await fetch(`${ISSUER}${path}`, { method: 'POST', headers, body: new URLSearchParams(form) })
  const text = await response.text()
  return { status: response.status, ...(text.startsWith('{') ? JSON.parse(text) : {}) }
}

const token = (form, headers) => post('/oauth/token', form, headers)
/** What the token endpoint says, in one word. */
const word = ({ error, access_token }) => error ?? (access_token ? 'granted' : 'nothing')

class Agent {
  static async named(name) {
    const agent = new Agent()
    return Object.assign(agent, { name, key: (await registered(ISSUER, name)).privateKey })
  }

  async assertion(more = {}, key = this.key) {
    const claims = { iss: this.name, sub: this.name, aud: ISSUER, iat: now(), exp: now() + 60, jti: crypto.randomUUID(), ...more }
    return new jose.SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'JWT' }).sign(key)
  }

  ask = async (grant_type, more = {}) =>
    token({ grant_type, client_assertion_type: JWT, client_assertion: await this.assertion(), ...more })

  own = (more) => this.ask('client_credentials', more)
  exchange = (subject_token, more) => this.ask(EXCHANGE, { subject_token, subject_token_type: ACCESS, ...more })
}

/** One `list_accounts` at a system's address, with these credentials; the status. */
async function call(system, authorization, more = {}) {
  const params = { name: 'list_accounts', arguments: {}, _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {},
  } }
  const response = await fetch(`${ISSUER}/mcp${system && `/${system}`}${more.query ?? ''}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call', 'mcp-name': 'list_accounts', ...(authorization && { authorization }), ...more.headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  })
  const text = await response.text()
  const answered = text.includes('Operations')
  if (answered) calls += 1
  return answered ? 'answered' : text.includes('Refused by Provost') ? 'refused' : response.status
}

/** Binds what is asked for to a key, as RFC 9449 says. */
class Dpop {
  static async fresh() {
    const { publicKey, privateKey } = await jose.generateKeyPair('ES256')
    const jwk = await jose.exportJWK(publicKey)
    return Object.assign(new Dpop(), { privateKey, jwk, jkt: await jose.calculateJwkThumbprint(jwk) })
  }

  async proof(htu, access) {
    const claims = { htm: 'POST', htu, iat: now(), jti: crypto.randomUUID(), ...(access && { ath: await s256(access) }) }
    const header = { alg: 'ES256', typ: 'dpop+jwt', jwk: this.jwk }
    return { DPoP: await new jose.SignJWT(claims).setProtectedHeader(header).sign(this.privateKey) }
  }
}

/** A person agrees that an agent acts for them; gives the code and what it is redeemed with. */
async function consent(more = {}, person = {}) {
  const code_verifier = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
  const request = {
    response_type: 'code', client_id: CLIENT_ID, redirect_uri: REDIRECT, state: 's', resource: lab,
    code_challenge: await s256(code_verifier), code_challenge_method: 'S256', ...more,
  }
  const at = `${ISSUER}/oauth/authorize?${new URLSearchParams(request)}`
  const back = await agreed(at, { agent: 'tester', tools: ['lab/list_accounts'], ...person })
  const code = back.searchParams.get('code')
  if (!code) throw new Error(String(back))
  return { grant_type: 'authorization_code', code, code_verifier, client_id: CLIENT_ID }
}

// --- a code is for the client, the session, the key and the resource that it was asked for with ---

async function codes() {
  const mine = await consent()
  const theirs = await consent({}, { who: 'jonas' })
  row('a code of another person, put into my session: my verifier', 'invalid_grant', word(await token({ ...mine, code: theirs.code })))
  row('a code of mine, put into theirs', 'invalid_grant', word(await token({ ...theirs, code: mine.code })))
  row('a code used by other software', 'invalid_grant', word(await token({ ...mine, client_id: otherSoftware })))
  row('a code used by an agent that proves itself', 'invalid_client', word(await token({
    ...mine, client_id: 'tester', client_assertion_type: JWT, client_assertion: await tester.assertion(),
  })))
  row('a code for one system, used for another', 'invalid_target', word(await token({ ...mine, resource: bench })))
  row('a code for one system, used for all', 'invalid_target', word(await token({ ...mine, resource: `${ISSUER}/mcp` })))
  row('a code with the address of somebody else', 'invalid_grant', word(await token({ ...mine, redirect_uri: 'http://127.0.0.1:1/callback' })))
  row('a code as a refresh token', 'invalid_grant', word(await token({ grant_type: 'refresh_token', refresh_token: mine.code, client_id: CLIENT_ID })))
  const granted = await token(mine)
  row('the code, as it should be', 'granted', word(granted))
  row('the others code, after all that', 'granted', word(await token(theirs)))
  return granted
}

async function boundCodes() {
  const [holder, thief] = [await Dpop.fresh(), await Dpop.fresh()]
  const endpoint = `${ISSUER}/oauth/token`
  const bound = await consent({ dpop_jkt: holder.jkt })
  row('a bound code without its key', 'invalid_dpop_proof', word(await token(bound)))
  row('a bound code with another key', 'invalid_dpop_proof', word(await token(bound, await thief.proof(endpoint))))
  const granted = await token(bound, await holder.proof(endpoint))
  row('a bound code with its key', 'granted', word(granted))
  const refresh = { grant_type: 'refresh_token', refresh_token: granted.refresh_token, client_id: CLIENT_ID }
  row('its refresh token without the key', 'invalid_dpop_proof', word(await token(refresh)))
  row('its refresh token with another key', 'invalid_dpop_proof', word(await token(refresh, await thief.proof(endpoint))))
  row('its refresh token for another system', 'invalid_target', word(await token({ ...refresh, resource: bench }, await holder.proof(endpoint))))
  const again = await token(refresh, await holder.proof(endpoint))
  row('its refresh token with its key', 'granted', word(again))
  const access = again.access_token
  row('the bound token as a bearer token', 401, await call('lab', `Bearer ${access}`))
  row('the bound token with another key', 401, await call('lab', `DPoP ${access}`, { headers: await thief.proof(lab, access) }))
  row('the bound token with a proof for another system', 401, await call('lab', `DPoP ${access}`, { headers: await holder.proof(bench, access) }))
  row('the bound token with its key', 'answered', await call('lab', `DPoP ${access}`, { headers: await holder.proof(lab, access) }))
}

// --- where answers are sent, and whose metadata is believed ---

async function redirects() {
  const challenge = await s256('x'.repeat(43))
  /** Where the person's browser ends: an origin, or nowhere. */
  const asked = async (more, raw = '') => {
    const request = {
      response_type: 'code', client_id: CLIENT_ID, redirect_uri: REDIRECT, state: 's', resource: lab, code_challenge: challenge,
      code_challenge_method: 'S256', ...more,
    }
    const at = `${ISSUER}/oauth/authorize?${new URLSearchParams(request)}${raw}`
    const response = await fetch(process.env.PERSON, {
      method: 'POST', body: JSON.stringify({ at, agent: 'tester', tools: ['lab/list_accounts'] }),
    })
    const { to, status } = await response.json()
    return to ? new URL(to).origin : status >= 400 ? 'nowhere' : status
  }
  row('the redirect address of the software', 'http://127.0.0.1:51007', await asked({}))
  for (const redirect_uri of [
    'https://evil.example/callback', 'http://127.0.0.1@evil.example/callback', 'http://127.0.0.1:51007/callback/../steal',
    'http://127.0.0.1:51007/callback%2f..', 'http://127.0.0.1:51007/callback#x', 'http://localhost:51007/callback',
    'http://127.0.0.1:99999/callback', '//127.0.0.1/callback', 'javascript:alert(1)//127.0.0.1/callback',
  ]) {
    row(`nothing is sent to ${redirect_uri}`, 'nowhere', await asked({ redirect_uri }))
  }
  row('two redirect addresses', 'nowhere', await asked({}, '&redirect_uri=https%3A%2F%2Fevil.example%2Fcallback'))
  row('a document that says it is another', 'nowhere', await asked({ client_id: CLIENT_ID.replace('client.json', 'lies.json') }))
  row('a document behind a redirect', 'nowhere', await asked({ client_id: CLIENT_ID.replace('client.json', 'moved.json') }))
  row('a document that is the plane itself', 'nowhere', await asked({ client_id: `${ISSUER}/.well-known/oauth-authorization-server` }))
  row('software that no agent runs in', 'http://127.0.0.1:51007', await asked({ client_id: otherSoftware }))
  // Where a person is sent after they signed in is a path of ours.
  for (const to of ['https://evil.example/', '//evil.example/', '/\\evil.example/', 'javascript:alert(1)']) {
    const response = await fetch(`${ISSUER}/signin?${new URLSearchParams({ to })}`)
    row(`the way back ${to} is nowhere in the page`, false, (await response.text()).includes(to))
  }
}

// --- a token is for one system, one task, one use ---

async function substitution(person) {
  const narrow = await tester.own({ resource: lab })
  const bearer = `Bearer ${narrow.access_token}`
  row('a token at its system', 'answered', await call('lab', bearer))
  row('a token for one system at another', 401, await call('bench', bearer))
  row('a token for one system at the address of all', 401, await call('', bearer))
  row('a token for one system in production', 401, await call('bank', bearer))
  row('a token in the address', 401, await call('lab', undefined, { query: `?access_token=${narrow.access_token}` }))
  row('a token as an administrator', 401, (await fetch(`${ISSUER}/api/v1/agents`, { headers: { authorization: bearer } })).status)
  row('an administrators token at a system', 401, await call('lab', `Bearer ${process.env.ADMIN_TOKEN}`))
  row('an identity providers token at a system', 401, await call('lab', `Bearer ${await idToken(CLIENT_ID)}`))
  row('a client assertion at a system', 401, await call('lab', `Bearer ${await tester.assertion({ aud: lab })}`))
  row('a refresh token at a system', 401, await call('lab', `Bearer ${person.refresh_token}`))
  row('a persons token', 'answered', await call('lab', `Bearer ${person.access_token}`))
  // Tasks.
  const second = await tester.own({ resource: lab })
  row('another agents task', 'invalid_grant', word(await helper.own({ task: second.task })))
  row('a task that is none', 'invalid_grant', word(await tester.own({ task: 'task_00000000000000000000000000' })))
  row('a running task with more scope', 'invalid_request', word(await tester.own({ task: second.task, scope: 'lab bench' })))
  await post('/oauth/revoke', { token: second.access_token, client_assertion_type: JWT, client_assertion: await tester.assertion() })
  row('a token that was taken back', 401, await call('lab', `Bearer ${second.access_token}`))
  row('a token of the task beside it', 'answered', await call('lab', bearer))
  const [head, , signature] = second.access_token.split('.')
  row('one tasks claims under anothers signature', 401, await call('lab', `Bearer ${head}.${narrow.access_token.split('.')[1]}.${signature}`))
  return narrow
}

// --- nobody hands on more than they hold ---

async function widening(narrow) {
  const held = narrow.access_token
  const detail = (entry) => ({ authorization_details: JSON.stringify([{ type: 'provost_task', ...entry }]) })
  row('exchanged for another system', 'invalid_target', word(await helper.exchange(held, { resource: bench })))
  row('exchanged for all systems', 'invalid_target', word(await helper.exchange(held, { resource: `${ISSUER}/mcp` })))
  row('exchanged for a scope it has not', 'invalid_scope', word(await helper.exchange(held, { scope: 'bench' })))
  row('exchanged by an agent for itself', 'invalid_request', word(await tester.exchange(held)))
  row('exchanged for an audience of the old kind', 'invalid_request', word(await helper.exchange(held, { audience: bench })))
  row('exchanged for a refresh token', 'invalid_request', word(await helper.exchange(held, { requested_token_type: ACCESS.replace('access', 'refresh') })))
  row('exchanged as an ID token', 'invalid_request', word(await helper.exchange(held, { subject_token_type: ACCESS.replace('access', 'id') })))
  row('an identity providers token, exchanged', 'invalid_request', word(await helper.exchange(await idToken('helper'))))
  row('exchanged with an actor of ones choice', 'invalid_request', word(await helper.exchange(held, { actor_token: held, actor_token_type: ACCESS })))
  row('exchanged by nobody', 'invalid_client', word(await token({ grant_type: EXCHANGE, subject_token: held, subject_token_type: ACCESS })))
  const few = await tester.own({ resource: lab, ...detail({ system: 'lab', tools: ['list_payees'] }) })
  const child = await helper.exchange(few.access_token)
  row('exchanged for a tool it has not', 'invalid_authorization_details', word(await helper.exchange(few.access_token, detail({ system: 'lab', tools: ['list_accounts'] }))))
  row('the parents tool, which the child was not given', 'refused', await call('lab', `Bearer ${child.access_token}`))
  const whole = await helper.exchange(held)
  row('the child of one that may', 'answered', await call('lab', `Bearer ${whole.access_token}`))
  row('the child elsewhere', 401, await call('bench', `Bearer ${whole.access_token}`))
  row('the child, handed on once more', 'invalid_request', word(await pod.exchange(whole.access_token)))
  return whole
}

// --- other people's word is for us, for this agent, and for once ---

async function assertions() {
  const provider = async (more) => {
    const form = { grant_type: EXCHANGE, subject_token: await idToken('tester'), client_id: 'tester', audience: ISSUER, resource: lab, ...more }
    return (await (await fetch(`${PROVIDER}/token`, { method: 'POST', body: new URLSearchParams(form) })).json()).access_token
  }
  const good = await provider({})
  row('an identity assertion of another agent', 'invalid_grant', word(await helper.ask(BEARER, { assertion: good })))
  row('an identity assertion without the agents own proof', 'invalid_grant', word(await token({ grant_type: BEARER, assertion: good })))
  row('an identity assertion for another resource', 'invalid_target', word(await tester.ask(BEARER, { assertion: good, resource: bench })))
  row('an identity assertion for another server', 'invalid_grant', word(await tester.ask(BEARER, { assertion: await provider({ audience: 'https://other.example' }) })))
  row('an ID token as an identity assertion', 'invalid_grant', word(await tester.ask(BEARER, { assertion: await idToken('tester') })))
  const fresh = await provider({})
  row('an identity assertion, as it should be', 'granted', word(await tester.ask(BEARER, { assertion: fresh })))
  row('the same once more', 'invalid_grant', word(await tester.ask(BEARER, { assertion: fresh })))
  const { issuer, jwk } = JSON.parse(process.env.CLUSTER)
  const cluster = await jose.importJWK(jwk, 'RS256')
  const podToken = (more, key = cluster) => new jose.SignJWT({
    iss: issuer, aud: [ISSUER], sub: 'system:serviceaccount:payments:clerk', iat: now(), exp: now() + 600,
    'kubernetes.io': { namespace: 'payments', serviceaccount: { name: 'clerk', uid: '3' } }, ...more,
  }).setProtectedHeader({ alg: 'RS256', kid: jwk.kid }).sign(key)
  row('a pods token', 'granted', word(await token({ grant_type: BEARER, assertion: await podToken({}) })))
  const elsewhere = { 'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'clerk', uid: '3' } } }
  row('a pods token of another namespace', 'invalid_grant', word(await token({ grant_type: BEARER, assertion: await podToken(elsewhere) })))
  row('a pods token for the cluster itself', 'invalid_grant', word(await token({ grant_type: BEARER, assertion: await podToken({ aud: [issuer] }) })))
  row('a pods token as the provider says it', 'invalid_grant', word(await token({ grant_type: BEARER, assertion: await podToken({ iss: PROVIDER }) })))
  const { privateKey } = await jose.generateKeyPair('RS256')
  row('a pods token by somebody elses key', 'invalid_grant', word(await token({ grant_type: BEARER, assertion: await podToken({}, privateKey) })))
}

const [tester, helper, pod] = [await Agent.named('tester'), await Agent.named('helper'), await Agent.named('pod')]
const person = await codes()
await boundCodes()
await redirects()
const narrow = await substitution(person)
const child = await widening(narrow)
// The child was handed a token for one system; with its own key it asks for its task once more, for another.
const found = []
for (const [what, more] of [['another system', { resource: bench }], ['all systems', {}]]) {
  found.push({ what: `a handed on task, asked for again for ${what}`, wanted: 'refused', got: word(await helper.own({ task: child.task, ...more })) })
}
await assertions()
// The end of a task is the end of what was handed on, seen or not.
await fetch(`${ISSUER}/api/v1/tasks/${narrow.task}/end`, {
  method: 'POST', headers: { authorization: `Bearer ${process.env.ADMIN_TOKEN}`, 'content-type': 'application/json' }, body: '{"reason":"done"}',
})
row('a child whose parent ended', 401, await call('lab', `Bearer ${child.access_token}`))
console.log(JSON.stringify({ rows, found, calls }))
