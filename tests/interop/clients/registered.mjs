// A key that the plane knows: made here, its public half registered for an agent as an administrator does.
import * as jose from 'jose'

/** Registers a fresh key of `alg` for `agent`; gives its private half as a JWK, as PEM, and as a CryptoKey. */
export async function registered(issuer, agent, alg = 'ES256') {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  const response = await fetch(new URL(`/api/v1/agents/${agent}/keys`, issuer), {
    method: 'POST',
    headers: { authorization: `Bearer ${process.env.ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ jwk: await jose.exportJWK(publicKey), reason: 'interop', person: 'maria', break_glass: true }),
  })
  if (!response.ok) throw new Error(await response.text())
  return { privateKey, pem: await jose.exportPKCS8(privateKey), jwk: { ...(await jose.exportJWK(privateKey)), alg } }
}

/** What becomes of an authorization request in the browser of a person who agrees to this. */
export async function agreed(at, { agent, tools, who = 'maria', purpose = 'interop' }) {
  const response = await fetch(process.env.PERSON, {
    method: 'POST', body: JSON.stringify({ at: String(at), agent, tools, who, purpose }),
  })
  const { to, status, page } = await response.json()
  if (!to) throw new Error(`the person was not asked: ${status} ${page}`)
  return new URL(to)
}

/** An ID token, as the client has one after it signed a person in itself. */
export async function idToken(audience, who = 'maria') {
  const response = await fetch(process.env.ID_TOKEN, { method: 'POST', body: JSON.stringify({ audience, who }) })
  return (await response.json()).id_token
}
