// Preloaded before somebody else's HTTP server, which would listen on every interface of the machine:
// it listens on 127.0.0.1 instead, on any port for PORT=0, and says on stdout where it listens.
//
//   PORT=0 node --import ./loopback.mjs node_modules/@modelcontextprotocol/server-everything/dist/index.js \
//     streamableHttp                                      prints {"url":"http://127.0.0.1:PORT/mcp"}

import { Server } from 'node:net';

const listen = Server.prototype.listen;

Server.prototype.listen = function (port, ...rest) {
  if (typeof port !== 'number' && typeof port !== 'string') {
    throw new Error('only a port to listen on is expected here');
  }
  this.once('listening', () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${this.address().port}/mcp` }));
  });
  const then = rest.filter((argument) => typeof argument === 'function');
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, ...then);
};
