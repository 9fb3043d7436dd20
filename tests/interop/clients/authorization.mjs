// The conformance suite's authorization-server mode against the plane, with a person who does what it prints. Prints one line of
// JSON for each revision: every check and its status; ends with 1 when the suite does.
//   ISSUER, AGENT, SYSTEM, TOOL, CLIENT_ID, PERSON; REVISIONS (default 2025-11-25,2026-07-28)
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { agreed } from './registered.mjs'

const { ISSUER, AGENT, SYSTEM, TOOL, CLIENT_ID, REVISIONS = '2025-11-25,2026-07-28' } = process.env
const modules = fileURLToPath(new URL('../node_modules/', import.meta.url))
const RUN_MS_MAX = 60_000

/** The suite needs Node 22; an older one hands over to the binary among the optional dependencies. */
function node() {
  const shipped = join(modules, '.bin', 'node')
  return Number(process.versions.node.split('.')[0]) < 22 && existsSync(shipped) ? shipped : process.execPath
}

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })

/** Runs the suite; whenever it prints an address for a browser, the person goes there, agrees, and is sent back to it. */
async function suite(revision, folder) {
  const port = await freePort()
  const args = [join(modules, '@modelcontextprotocol/conformance/dist/index.js'), 'authorization', '--url', ISSUER]
  args.push('--client-id', CLIENT_ID, '--resource', `${ISSUER}/mcp/${SYSTEM}`, '--port', port, '--spec-version', revision, '--output-dir', folder)
  const child = spawn(node(), args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: RUN_MS_MAX })
  let said = ''
  let went = false
  const failures = []
  const hear = (text) => {
    said += text
    const at = new RegExp(`^${ISSUER}/oauth/authorize\\?\\S+$`, 'm').exec(said)?.[0]
    if (!at || went) return
    went = true
    agreed(at, { agent: AGENT, tools: [`${SYSTEM}/${TOOL}`] }).then((back) => fetch(back)).catch((error) => {
      failures.push(String(error))
      child.kill()
    })
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const code = await new Promise((done) => child.on('close', done))
  return { code, said, failures }
}

async function checks(folder) {
  const found = {}
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith('checks.json')) continue
    for (const { id, status, errorMessage } of JSON.parse(await readFile(join(folder, file), 'utf8'))) {
      found[id] = errorMessage ? `${status}: ${errorMessage}` : status
    }
  }
  return found
}

let failed = false
for (const revision of REVISIONS.split(',')) {
  const folder = await mkdtemp(join(tmpdir(), 'provost-conformance-'))
  try {
    const { code, said, failures } = await suite(revision, folder)
    const found = await checks(folder)
    failed ||= code !== 0
    console.log(JSON.stringify({ revision, code, checks: found, ...(code === 0 ? {} : { said, failures }) }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
process.exit(failed ? 1 : 0)
