// Runs the official MCP conformance suite directly against the fixture and through the gateway, compares
// check by check, and ends with 1 when a check is worse through the gateway than without it.
//
//   UPSTREAM_URL=… GATEWAY_URL=… TOKEN=… [SYSTEM=fixture] node conformance.mjs
//   node conformance.mjs --direct             the fixture alone; writes conformance-direct.json
//   node conformance.mjs --self-check         the forwarder alone stands between: proves it is transparent
//
// REVISIONS (default 2025-11-25,2026-07-28) limits the runs. Each prints one line:
//   2025-11-25: 84 checks direct, 84 through, 0 only-through failures

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { startFixture } from './fixture/server.mjs';
import { startForwarder } from './forwarder.mjs';
import { direct, through } from './target.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const REVISIONS = (process.env.REVISIONS ?? '2025-11-25,2026-07-28').split(',');
const RUN_MS_MAX = 300_000;
const NODE_MAJOR_MIN = 22;

/** Every check of one run as `scenario / id / name #n` → status; what is only information is left out. */
async function run(url, revision) {
  const folder = await mkdtemp(join(tmpdir(), 'provost-conformance-'));
  try {
    const said = await suite(url, revision, folder);
    const checks = await collect(folder);
    if (checks.size === 0) {
      throw new Error(`the suite ran no checks against ${url}:\n${said}`);
    }
    return checks;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Starts the suite and resolves with what it printed; its exit code says less than its checks do. */
function suite(url, revision, folder) {
  const main = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json');
  const args = [join(dirname(main), 'dist', 'index.js'), 'server', '--url', url];
  args.push('--suite', 'all', '--spec-version', revision, '--output-dir', folder);
  return new Promise((done, fail) => {
    const child = spawn(node(), args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: RUN_MS_MAX });
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    child.stderr.on('data', (text) => (said += text));
    child.on('error', fail);
    child.on('close', (_, signal) => (signal ? fail(new Error(`the suite ended by ${signal}`)) : done(said)));
  });
}

/** The suite needs Node 22; an older one hands over to the binary among the optional dependencies. */
function node() {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
    return process.execPath;
  }
  const shipped = join(HERE, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (!existsSync(shipped)) {
    throw new Error(`the conformance suite needs Node >= ${NODE_MAJOR_MIN}: run setup.sh, or use a newer node`);
  }
  return shipped;
}

async function collect(folder) {
  const checks = new Map();
  for (const entry of (await readdir(folder)).sort()) {
    const scenario = /^server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.exec(entry)?.[1] ?? entry;
    const found = JSON.parse(await readFile(join(folder, entry, 'checks.json'), 'utf8'));
    for (const { id, name, status, errorMessage } of found.filter((check) => check.status !== 'INFO')) {
      const key = numbered(checks, `${scenario} / ${id} / ${name}`);
      checks.set(key, { status, why: errorMessage });
    }
  }
  return checks;
}

/** Some checks are made several times under one name; the n-th of them is compared with the n-th. */
function numbered(checks, key) {
  let number = 1;
  while (checks.has(`${key} #${number}`)) {
    number += 1;
  }
  return `${key} #${number}`;
}

const RANK = { SUCCESS: 0, SKIPPED: 1, WARNING: 2, FAILURE: 3 };

/** What is worse through the gateway: failed, warned, skipped, or never reached. */
function worse(alone, governed) {
  const keys = new Set([...alone.keys(), ...governed.keys()]);
  return [...keys].flatMap((key) => {
    const before = alone.get(key) ?? { status: 'SUCCESS' };
    const after = governed.get(key) ?? { status: 'FAILURE', why: 'the check was never reached' };
    return RANK[after.status] > RANK[before.status] ? [{ key, before, after }] : [];
  });
}

const passed = (checks) => [...checks.values()].filter(({ status }) => status === 'SUCCESS').length;

async function compare(upstream, gateway) {
  const { origin, pathname } = new URL(gateway.url);
  const forwarder = await startForwarder({ origin, token: gateway.token });
  let failures = 0;
  try {
    for (const revision of REVISIONS) {
      const alone = await run(upstream.url, revision);
      const governed = await run(`${forwarder.url}${pathname}`, revision);
      const found = worse(alone, governed);
      for (const { key, before, after } of found) {
        console.log(`${revision}: ${key}: ${before.status} direct, ${after.status} through: ${after.why ?? ''}`);
      }
      const counts = `${passed(alone)} checks direct, ${passed(governed)} through`;
      console.log(`${revision}: ${counts}, ${found.length} only-through failures`);
      failures += found.length;
    }
  } finally {
    await forwarder.stop();
  }
  return failures;
}

async function recordDirect(upstream) {
  const record = {};
  let failures = 0;
  for (const revision of REVISIONS) {
    const checks = await run(upstream.url, revision);
    const bad = [...checks].filter(([, { status }]) => RANK[status] > RANK.SKIPPED);
    bad.forEach(([key, { status, why }]) => console.log(`${revision}: ${key}: ${status}: ${why ?? ''}`));
    console.log(`${revision}: ${passed(checks)} checks direct, ${bad.length} failures`);
    record[revision] = Object.fromEntries([...checks].map(([key, { status }]) => [key, status]));
    failures += bad.length;
  }
  await writeFile(join(HERE, 'conformance-direct.json'), `${JSON.stringify(record, null, 2)}\n`);
  return failures;
}

async function main() {
  const own = direct ? undefined : await startFixture();
  try {
    const upstream = direct ?? own;
    if (process.argv.includes('--direct')) {
      return await recordDirect(upstream);
    }
    if (process.argv.includes('--self-check')) {
      return await compare(upstream, { url: upstream.url });
    }
    if (!through || !direct) {
      console.error('set UPSTREAM_URL, GATEWAY_URL and TOKEN; or give --direct or --self-check');
      process.exit(64);
    }
    return await compare(direct, through);
  } finally {
    await own?.stop();
  }
}

process.exit((await main()) === 0 ? 0 : 1);
