// The conformance suite's scenarios for clients, with a plane as the client: the suite stands there as a protected MCP server and
// its authorization server, and a system of the plane points at it. With client credentials, an agent that holds none of them
// makes one call; in the scenarios about `iss`, a person connects their account. Prints one line of JSON for each scenario: every
// check and its status.
//
//   node as-client.mjs SCENARIO…          runs the suite, which runs this file again with its address
//   ISSUER, DATA (the plane's folder), PROVOST (the program), PERSON
//
// What an administrator reads and writes down (metadata, tools) is done here; what the suite judges of the token request is the
// plane's.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const { ISSUER, DATA, PROVOST, PERSON, MCP_CONFORMANCE_CONTEXT, MCP_CONFORMANCE_SCENARIO } = process.env
const here = fileURLToPath(import.meta.url)
const modules = fileURLToPath(new URL('../node_modules/', import.meta.url))
const RUN_MS_MAX = 60_000

/** Runs a program; gives what it printed. */
function run(program, args, { input = '', ...options } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: RUN_MS_MAX, ...options })
    let [said, complaint] = ['', '']
    child.stdout.on('data', (text) => (said += text))
    child.stderr.on('data', (text) => (complaint += text))
    child.on('error', fail)
    child.on('close', (code) => done({ code, said, complaint }))
    child.stdin.end(input)
  })
}

async function provost(args, input) {
  const { code, said, complaint } = await run(PROVOST, [...args, '--url', ISSUER, '--data', DATA], { input })
  if (code !== 0) throw new Error(`${args.join(' ')}: ${said}${complaint}`)
  return said
}

// --- the suite, which runs the rest ---

/** The suite needs Node 22; an older one hands over to the binary among the optional dependencies. */
function node() {
  const shipped = join(modules, '.bin', 'node')
  return Number(process.versions.node.split('.')[0]) < 22 && existsSync(shipped) ? shipped : process.execPath
}

async function suite(scenario) {
  const folder = await mkdtemp(join(tmpdir(), 'provost-conformance-'))
  try {
    const main = join(modules, '@modelcontextprotocol/conformance/dist/index.js')
    const args = [main, 'client', '--command', `${process.execPath} ${here}`, '--scenario', scenario, '--output-dir', folder]
    if (scenario.startsWith('auth/iss-')) args.push('--spec-version', '2026-07-28')
    const { code, said, complaint } = await run(node(), args)
    const checks = {}
    for (const file of await readdir(folder, { recursive: true })) {
      if (!file.endsWith('checks.json')) continue
      for (const { id, status, errorMessage } of JSON.parse(await readFile(join(folder, file), 'utf8'))) {
        if (status !== 'INFO') checks[id] = errorMessage ? `${status}: ${errorMessage}` : status
      }
    }
    console.log(JSON.stringify({ scenario, code, checks, ...(code === 0 ? {} : { said, complaint }) }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

// --- the plane as the client ---

/** The token endpoint behind a protected resource, found as any client finds it (RFC 9728, RFC 8414). */
async function found(url) {
  const refused = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  const place = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate'))[1]
  const { authorization_servers: [issuer] } = await (await fetch(place)).json()
  return (await fetch(new URL('/.well-known/oauth-authorization-server', issuer))).json()
}

/** The pin of the suite's one tool, from a server that defines it in the same words and lets everybody look. */
async function pin() {
  const tools = [{ name: 'test-tool', inputSchema: { type: 'object' } }]
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const { id, method, params } = JSON.parse(body || '{}')
    const info = { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'same', version: '1' } }
    const result = method === 'initialize' ? info : method === 'tools/list' ? { tools } : undefined
    const answer = result ? { result } : { error: { code: -32601, message: 'no' } }
    const headers = { 'content-type': 'application/json' }
    if (id === undefined) response.writeHead(202).end()
    else response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const said = await provost(['system', 'import', 'same', '--mcp', `http://127.0.0.1:${server.address().port}/mcp`, '--dir', '-'])
  server.closeAllConnections()
  server.close()
  return /sha256:[0-9a-f]{64}/.exec(said)[0]
}

/** A system that is the suite, with this credential, and an agent that may make its one call. */
async function organise(url, credential) {
  const folder = await mkdtemp(join(tmpdir(), 'provost-suite-'))
  try {
    await writeFile(join(folder, 'suite.toml'), `
[system.suite]
description = "The conformance suite, as a protected server"
environment = "sandbox"
url = "${url}"
revocation_max = "1h"
credential = { name = "suite", ${Object.entries(credential).map(([key, value]) => `${key} = "${value}"`).join(', ')} }
[system.suite.tool.test-tool]
pin = "${await pin()}"
effects = ["read"]

[agent.visitor]
purpose = "Makes the one call"
owner = "maria"
environment = "sandbox"
autonomy = "bounded"
task_duration_max = "10m"
[[agent.visitor.grant]]
system = "suite"
tools = ["test-tool"]
`)
    await provost(['apply', folder, '--yes'])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function byItself(url) {
  const { issuer, token_endpoint } = await found(url)
  const { client_id, client_secret } = JSON.parse(MCP_CONFORMANCE_CONTEXT)
  const client_authentication = 'client_secret_basic'
  await organise(url, { kind: 'client-credentials', issuer, token_endpoint, client_id, client_authentication })
  await provost(['credential', 'set', 'suite'], `${client_secret}\n`)
  const token = (await provost(['task', 'start', 'visitor', '--purpose', 'the suite', '--token'])).trim()
  const params = { name: 'test-tool', arguments: {}, _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {},
  } }
  const response = await fetch(`${ISSUER}/mcp/suite`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'test-tool',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  })
  const answer = await response.text()
  if (!answer.includes('"text":"test"')) throw new Error(`${response.status} ${answer}`)
}

/**
 * A person connects an account. The suite judges by whether the plane redeems the code; what it gives for one has no refresh
 * token, so that the plane keeps nothing of it and says so on the page.
 */
async function forAPerson(url) {
  const { issuer, authorization_endpoint, token_endpoint } = await found(url)
  await organise(url, {
    kind: 'account', issuer, authorization_endpoint, token_endpoint, client_id: 'provost', client_authentication: 'none',
  })
  await fetch(PERSON, { method: 'POST', body: JSON.stringify({ at: `${ISSUER}/accounts/suite/connect` }) })
}

const asked = process.argv.slice(2)
if (asked[0].startsWith('http')) {
  await (MCP_CONFORMANCE_SCENARIO.startsWith('auth/iss-') ? forAPerson : byItself)(asked[0])
} else {
  for (const scenario of asked) await suite(scenario)
}
