// Passkeys: registering one, signing in with one, and signing a yes. A signature is asked for only after this module has seen
// that the challenge is the SHA-256 of the statement that is shown. Text goes into pages as text, never as markup.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (one) => one.charCodeAt(0))
const text = (buffer) =>
  btoa(Array.from(new Uint8Array(buffer), (one) => String.fromCharCode(one)).join('')).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')

/** What went wrong, in the plane's own parts. */
class Problem extends Error {}

async function ask(path, body) {
  const response = await fetch(path, {
    method: 'POST', credentials: 'same-origin', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  })
  const said = await response.json().catch(() => ({}))
  if (response.ok) return said
  const parts = [said.detail ?? `The plane answered ${response.status}.`, said.because && `Because ${said.because}.`, said.do && `Do: ${said.do}.`]
  throw new Problem(parts.filter(Boolean).join(' '))
}

function here(asked) {
  if (!window.PublicKeyCredential) throw new Problem('This browser has no passkeys here. Do: use a current browser, over https or on localhost.')
  if (location.origin === asked.origin) return
  throw new Problem(`Passkeys do not work at ${location.origin}. Because browsers make and use them for one name only, and it is not this one. ` +
    `This means nobody can sign here. Do: open ${asked.origin}${location.pathname} instead.`)
}

async function create(asked) {
  here(asked)
  const made = await navigator.credentials.create({ publicKey: {
    rp: { id: asked.party, name: 'Provost' },
    user: { id: bytes(asked.user), name: asked.person, displayName: asked.display },
    challenge: bytes(asked.challenge),
    pubKeyCredParams: asked.algorithms.map((alg) => ({ type: 'public-key', alg })),
    excludeCredentials: asked.exclude.map((id) => ({ type: 'public-key', id: bytes(id) })),
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
    attestation: 'none', timeout: 240_000,
  } })
  const { clientDataJSON, attestationObject } = made.response
  return { ticket: asked.ticket, id: text(made.rawId), client_data: text(clientDataJSON), attestation: text(attestationObject) }
}

async function sign(asked, passkeys) {
  here(asked)
  const made = await navigator.credentials.get({ publicKey: {
    rpId: asked.party, challenge: bytes(asked.challenge), userVerification: 'required', timeout: 240_000,
    allowCredentials: passkeys.map((id) => ({ type: 'public-key', id: bytes(id) })),
  } })
  const { clientDataJSON, authenticatorData, signature, userHandle } = made.response
  return {
    ticket: asked.ticket, passkey: text(made.rawId), client_data: text(clientDataJSON), authenticator_data: text(authenticatorData),
    signature: text(signature), ...(userHandle ? { user: text(userHandle) } : {}),
  }
}

const deeds = {
  async 'sign-in'(form) {
    const asked = await ask('/signin/passkey/begin', { to: form.dataset.to })
    location.assign((await ask('/signin/passkey/finish', await sign(asked, []))).to)
  },
  async add(form) {
    const path = `/api/v1/people/${encodeURIComponent(form.dataset.person)}/passkeys`
    const asked = await ask(`${path}/begin`, {})
    await ask(path, { ...await create(asked), name: form.elements.name.value })
    location.assign('/you?done=added')
  },
  async invite(form) {
    const secret = location.hash.slice(1)
    const first = form.elements.person.value ? { person: form.elements.person.value, display: form.elements.display.value } : {}
    const asked = await ask('/invite/begin', { secret, ...first })
    const passkey = { ...await create(asked), name: form.elements.name.value }
    const { to } = await ask('/invite/finish', { secret, passkey })
    // The link is used up; it need not stay in the history.
    history.replaceState(null, '', '/invite')
    location.assign(to)
  },
}

/** The answers that can be signed, as they are sent: the deed, and what it says. */
const answers = {
  answer: (form) => ['approve', { action: form.dataset.digest }],
  proposal: (form) => ['approve', { digest: form.dataset.digest }],
  lift: () => ['lift', {}],
  edit: (form) => ['edit', { args: parsed(form.elements.args.value) }],
  envelope(form) {
    const args = {}
    for (const field of form.querySelectorAll('[data-arg]')) {
      const { arg, value } = field.dataset
      if (field.type === 'checkbox' && field.checked) args[arg] = { ...args[arg], one_of: [JSON.parse(value)] }
      if (field.type === 'text' && field.value.trim()) args[arg] = { ...args[arg], max: decimal(field.value.trim()) }
    }
    return ['envelope', { args, count: Number(form.elements.count.value), lasts: form.elements.lasts.value.trim(), every_task: form.elements.every_task.checked }]
  },
}

const decimal = (number) => (number.includes('.') ? number : `${number}.0`)

function parsed(json) {
  try { return JSON.parse(json) } catch (error) { throw new Problem(`The arguments are not JSON: ${error.message}`) }
}

/** An approval is answered in more than one way, everything else in one. */
const manyWays = ['answer', 'edit', 'envelope']

async function answered(form) {
  const box = form.closest('[data-of]')
  const at = `/api/v1/${box.dataset.of}/${encodeURIComponent(box.dataset.id)}`
  const kind = form.dataset.answer
  const [deed, body] = answers[kind](form)
  const reason = form.elements.reason.value.trim()
  if (reason) body.reason = reason
  if (form.elements.sure?.checked) body.sure = true
  if ('signed' in box.dataset) {
    const asked = await ask(`${at}/statement`, manyWays.includes(kind) ? { [kind]: body } : body)
    const digest = text(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(asked.text)))
    if (digest !== asked.challenge) throw new Problem('The plane asks for a signature over something else than it shows. Nothing was signed.')
    if (form.dataset.digest && JSON.parse(asked.text).digest !== form.dataset.digest) throw new Problem('This is something else than what you read. Nothing was signed.')
    const shown = box.querySelector('[data-statement]')
    shown.hidden = false
    shown.querySelector('pre').textContent = JSON.stringify(JSON.parse(asked.text), null, 2)
    body.signed = await sign(asked, asked.passkeys)
  }
  const done = await ask(`${at}/${deed}`, body)
  location.assign(`${kind === 'edit' ? `/approvals/${encodeURIComponent(done.id)}` : location.pathname}?done=answered`)
}

function handle(form, deed) {
  const said = (form.closest('section, main')).querySelector('[data-said]')
  form.addEventListener('submit', async (event) => {
    // A no needs no signature, and no script; nor does what keeps things as they are.
    if (['no', 'keep'].includes(event.submitter?.value)) return
    event.preventDefault()
    const buttons = form.querySelectorAll('button')
    for (const button of buttons) button.disabled = true
    said.textContent = 'Your device asks you now…'
    try {
      await deed(form)
      said.textContent = 'Done.'
    } catch (error) {
      said.textContent = error instanceof Problem ? error.message : `Nothing was done: ${error.message}`
    } finally {
      for (const button of buttons) button.disabled = false
    }
  })
}

for (const form of document.querySelectorAll('form[data-passkey]')) {
  handle(form, deeds[form.dataset.passkey])
  if (form.dataset.passkey !== 'invite') form.hidden = false
}
for (const form of document.querySelectorAll('form[data-answer]')) handle(form, answered)
for (const hidden of document.querySelectorAll('details[data-scripted]')) hidden.hidden = false
for (const link of document.querySelectorAll('a[data-elsewhere]')) link.href += location.hash

const invite = document.querySelector('form[data-passkey=invite]')
if (invite) {
  const said = document.querySelector('[data-said]')
  ask('/invite/open', { secret: location.hash.slice(1) }).then((seen) => {
    invite.querySelector('[data-for]').textContent = seen.person ? `For ${seen.display ?? seen.person}.` : 'You become the first administrator of this plane.'
    const first = invite.querySelector('[data-first]')
    first.hidden = Boolean(seen.person)
    invite.elements.person.required = !seen.person
    invite.hidden = false
  }, (error) => { said.textContent = error.message })
}
