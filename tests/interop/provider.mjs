// An identity provider by somebody else (oidc-provider): people sign in on its own pages. Prints its issuer as JSON.
//   PORT (0: any), PLANE (the plane's address: its client signs, its keys are at /oauth/jwks)
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const plane = process.env.PLANE
const people = JSON.parse(process.env.PEOPLE ?? '{"maria":{"email":"maria@acme.example","groups":["ops"]}}')
const server = createServer()
await new Promise((ready) => server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', ready))
const issuer = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'provost',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks_uri: `${plane}/oauth/jwks`,
      redirect_uris: [`${plane}/signin/callback`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
  claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false,
  // Anybody who writes a known name is that person: this provider is for tests.
  async findAccount(_ctx, sub) {
    const person = people[sub]
    return person && { accountId: sub, claims: () => ({ sub, email_verified: true, ...person }) }
  },
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
  // By itself it asks nobody at a loopback address, and the plane under test is at one.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  cookies: { keys: ['for tests only'] },
})
server.on('request', provider.callback())
console.log(JSON.stringify({ issuer }))
provider.on('grant.error', (_ctx, error) => console.error(error.error, error.error_description ?? error.message, error.cause?.cause?.message ?? ''))
