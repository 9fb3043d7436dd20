// The conformance suite sends no token. This forwarder stands between the suite and the gateway, adds
// `Authorization: Bearer TOKEN`, and otherwise changes nothing: bodies stream both ways unbuffered, header
// names keep their case, a connection closed on one side closes the other. Its own address in `Host` and
// `Origin` becomes the gateway's; any other value is passed on, so that the gateway can refuse it itself.
//
//   GATEWAY_URL=… TOKEN=… [PORT=0] node forwarder.mjs     prints {"url":"http://127.0.0.1:PORT"}

import { createServer, request as send } from 'node:http';
import { fileURLToPath } from 'node:url';

/** Forwards 127.0.0.1:`port` to `origin`; resolves with its URL and a function that ends it. */
export function startForwarder({ origin, token, port = 0 }) {
  const target = new URL(origin);
  const server = createServer((incoming, outgoing) => forward(incoming, outgoing, target, token, server));
  return new Promise((done, fail) => {
    server.on('error', fail);
    server.listen(port, '127.0.0.1', () => {
      const stop = () => {
        server.closeAllConnections();
        return new Promise((closed) => server.close(closed));
      };
      done({ url: `http://127.0.0.1:${server.address().port}`, stop });
    });
  });
}

function forward(incoming, outgoing, target, token, server) {
  const headers = translated(incoming.rawHeaders, server.address().port, target.host);
  if (token) {
    headers.push('Authorization', `Bearer ${token}`);
  }
  const { hostname: host, port } = target;
  const onward = send({ host, port, method: incoming.method, path: incoming.url, headers, agent: false });
  onward.on('response', (answer) => {
    outgoing.writeHead(answer.statusCode, answer.statusMessage, withoutHops(answer.rawHeaders));
    outgoing.flushHeaders();
    answer.pipe(outgoing);
    answer.on('error', () => outgoing.destroy());
  });
  onward.on('error', (error) => {
    outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end(`forwarder: ${error.message}`);
  });
  outgoing.on('close', () => onward.destroy());
  incoming.pipe(onward);
}

function translated(raw, ownPort, targetHost) {
  const own = new RegExp(`^(https?://)?(127\\.0\\.0\\.1|localhost|\\[::1\\]):${ownPort}$`);
  return pairs(raw).flatMap(([name, value]) => {
    const named = name.toLowerCase();
    if (HOPS.has(named) || named === 'authorization') {
      return [];
    }
    const mine = named === 'host' || named === 'origin' ? own.exec(value) : null;
    return [name, mine ? `${mine[1] ?? ''}${targetHost}` : value];
  });
}

const HOPS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection']);
const withoutHops = (raw) => pairs(raw).filter(([name]) => !HOPS.has(name.toLowerCase())).flat();
const pairs = (raw) => raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]]] : []));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { GATEWAY_URL, TOKEN, PORT = '0' } = process.env;
  const { url } = await startForwarder({ origin: GATEWAY_URL, token: TOKEN, port: Number(PORT) });
  console.log(JSON.stringify({ url }));
}
