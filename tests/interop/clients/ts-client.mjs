// The official TypeScript clients against the gateway: lists the tools, makes the calls it is given, and
// prints one JSON object of what it saw.
//
//   node ts-client.mjs [--sdk 1|2] [--direct]
//     --sdk 2 (default)   @modelcontextprotocol/client: asks for 2026-07-28, falls back to the handshake
//     --sdk 1             @modelcontextprotocol/sdk: the handshake revisions up to 2025-11-25
//     --direct            UPSTREAM_URL instead of GATEWAY_URL + SYSTEM
//   CALLS     JSON: [{"name": …, "arguments": …, "cancel_after_ms"?: …}]
//   ELICIT    accept | decline | cancel: declares elicitation (form and url) and answers so, a form with the
//             JSON object in ELICIT_CONTENT (default {})
//   LINGER_MS stays connected that long after the calls, to hear notifications
//
// Output: {client, protocol, server, tools, calls: [{name, result | error, progress, ms}], elicitations,
// notifications} or, when no connection came about, {client, error}. The exit code is 0 in both cases.

import { readFile } from 'node:fs/promises';

import { chosen, credentials } from '../target.mjs';

const SDK = process.argv.includes('--sdk') ? process.argv[process.argv.indexOf('--sdk') + 1] : '2';
const { CALLS = '[]', ELICIT, ELICIT_CONTENT = '{}', LINGER_MS = '0' } = process.env;
const PAGES_MAX = 100;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function sdk1() {
  const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
  const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
  const { ElicitRequestSchema } = await import('@modelcontextprotocol/sdk/types.js');
  return {
    client: await named('@modelcontextprotocol/sdk'),
    make: (options) => new Client({ name: 'provost-interop', version: '0.0.0' }, options),
    transport: (url, options) => new StreamableHTTPClientTransport(url, options),
    onElicit: (client, handler) => client.setRequestHandler(ElicitRequestSchema, handler),
    call: (client, params, options) => client.callTool(params, undefined, options),
    protocol: (_, transport) => transport.protocolVersion,
  };
}

async function sdk2() {
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  return {
    client: await named('@modelcontextprotocol/client'),
    make: (options) =>
      new Client(
        { name: 'provost-interop', version: '0.0.0' },
        { ...options, versionNegotiation: { mode: 'auto' } },
      ),
    transport: (url, options) => new StreamableHTTPClientTransport(url, options),
    onElicit: (client, handler) => client.setRequestHandler('elicitation/create', handler),
    call: (client, params, options) => client.callTool(params, options),
    protocol: (client) => client.getNegotiatedProtocolVersion(),
  };
}

/** Name and version of a package as it is installed. */
async function named(name) {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(await readFile(file, 'utf8')).version}`;
}

async function talk(sdk, seen) {
  const target = chosen();
  const capabilities = ELICIT ? { elicitation: { form: {}, url: {} } } : {};
  const client = sdk.make({ capabilities });
  const transport = sdk.transport(new URL(target.url), { requestInit: { headers: credentials(target) } });
  client.fallbackNotificationHandler = async ({ method, params }) => {
    seen.notifications.push({ method, params });
  };
  if (ELICIT) {
    sdk.onElicit(client, async ({ params }) => {
      seen.elicitations.push(params);
      const filled = ELICIT === 'accept' && params.mode !== 'url';
      return filled ? { action: ELICIT, content: JSON.parse(ELICIT_CONTENT) } : { action: ELICIT };
    });
  }
  await client.connect(transport);
  seen.protocol = sdk.protocol(client, transport);
  seen.server = client.getServerVersion();
  seen.tools = await listAll(client);
  for (const wanted of JSON.parse(CALLS)) {
    seen.calls.push(await call(sdk, client, wanted));
  }
  await pause(Number(LINGER_MS));
  await client.close();
}

async function listAll(client) {
  const tools = [];
  let cursor;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await client.listTools(cursor === undefined ? undefined : { cursor });
    tools.push(...answer.tools);
    if (answer.nextCursor === undefined || answer.nextCursor === cursor) {
      break;
    }
    cursor = answer.nextCursor;
  }
  return tools;
}

async function call(sdk, client, { name, arguments: args = {}, cancel_after_ms: cancelAfterMs }) {
  const started = Date.now();
  const progress = [];
  const stop = new AbortController();
  const timer = cancelAfterMs === undefined ? undefined : setTimeout(() => stop.abort(), cancelAfterMs);
  const options = {
    signal: stop.signal,
    onprogress: (told) => progress.push({ ...told, at_ms: Date.now() - started }),
  };
  const done = (outcome) => ({ name, ...outcome, progress, ms: Date.now() - started });
  try {
    return done({ result: await sdk.call(client, { name, arguments: args }, options) });
  } catch (error) {
    return done({ error: described(error) });
  } finally {
    clearTimeout(timer);
  }
}

const described = ({ name, code, message, data, status }) => ({ name, code, message, data, status });

const sdk = await (SDK === '1' ? sdk1() : sdk2());
const seen = { client: sdk.client, calls: [], elicitations: [], notifications: [] };
try {
  await talk(sdk, seen);
} catch (error) {
  seen.error = described(error);
}
console.log(JSON.stringify(seen));
process.exit(0);
