// Where the tests point, read from the environment once.
//
//   GATEWAY_URL     http://127.0.0.1:PORT of the gateway; SYSTEM behind it (default `fixture`); TOKEN of a task
//   UPSTREAM_URL    the same system's own MCP endpoint, asked directly; UPSTREAM_TOKEN if it wants one

const { GATEWAY_URL, SYSTEM = 'fixture', TOKEN, UPSTREAM_URL, UPSTREAM_TOKEN } = process.env;

/** The endpoint through the gateway, or undefined when none was named. */
export const through = GATEWAY_URL && {
  url: `${GATEWAY_URL.replace(/\/+$/, '')}/mcp/${encodeURIComponent(SYSTEM)}`,
  token: TOKEN,
};

/** The endpoint without the gateway, or undefined when none was named. */
export const direct = UPSTREAM_URL && { url: UPSTREAM_URL, token: UPSTREAM_TOKEN };

/** `authorization` for a target, or nothing. */
export const credentials = ({ token }) => (token ? { authorization: `Bearer ${token}` } : {});

/** The target the command line asks for: `--direct` or, without it, through the gateway. */
export function chosen(args = process.argv) {
  const target = args.includes('--direct') ? direct : through;
  if (!target) {
    console.error('set GATEWAY_URL and TOKEN, or UPSTREAM_URL together with --direct');
    process.exit(64);
  }
  return target;
}
