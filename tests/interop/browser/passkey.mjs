// A person in a real browser (Chromium, with a virtual authenticator): opens a one-use link, makes a passkey, approves what an
// agent was held for with a signature, edits, grants an envelope, signs out and in again. The agent beside it is the official MCP
// client. Looks for accessibility faults on each page and for anything the pages' own policy blocked. Prints one line of JSON.
//   PLANE (where the browser meets it), WRONG (the same plane under its number), LINK, MCP (the agent's endpoint), TOKEN,
//   SHOTS (a folder for pictures, optional)
import AxeBuilder from '@axe-core/playwright'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { chromium } from 'playwright-core'

const { PLANE, WRONG, LINK, MCP, TOKEN, SHOTS } = process.env
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
const page = await context.newPage()
page.setDefaultTimeout(30_000)
const device = await context.newCDPSession(page)
await device.send('WebAuthn.enable')
const { authenticatorId } = await device.send('WebAuthn.addVirtualAuthenticator', { options: {
  protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
  automaticPresenceSimulation: true,
} })

const complaints = []
page.on('console', (message) => { if (message.type() === 'error') complaints.push(`${page.url()}: ${message.text()}`) })
page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error}`))
const faults = []
async function look(name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    const found = await new AxeBuilder({ page }).analyze()
    const serious = found.violations.filter((v) => ['serious', 'critical'].includes(v.impact))
    faults.push(...serious.map((v) => `${name} ${colorScheme}: ${v.id}: ${v.nodes[0].html.slice(0, 160)}`))
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}-laptop-${colorScheme}.png`, fullPage: true })
  }
  await page.setViewportSize({ width: 390, height: 844 })
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (over > 1) faults.push(`${name}: ${over} wider than a phone`)
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}-phone.png`, fullPage: true })
  await page.setViewportSize({ width: 1280, height: 800 })
}

const agent = new Client({ name: 'clerk', version: '1' })
await agent.connect(new StreamableHTTPClientTransport(new URL(MCP), { requestInit: { headers: { authorization: `Bearer ${TOKEN}` } } }))
const pay = async (amount) => {
  const args = { from_account: 'operations', payee: 'Kantoor Zuid BV', amount, reference: 'order 55120' }
  const result = await agent.callTool({ name: 'transfer', arguments: args })
  return { done: !result.isError, approval: JSON.stringify(result).match(/approval_[0-9a-f]+(_\d+)?/)?.[0] }
}
const said = () => page.locator('[data-said]').first().innerText()
const seen = {}
try {
  // The link, under the wrong name and under the right one.
  await page.goto(`${WRONG}/invite#${new URL(LINK).hash.slice(1)}`)
  seen.wrong = await page.locator('#elsewhere').innerText()
  seen.leads = (await page.locator('#elsewhere a').getAttribute('href')) === LINK
  await page.goto(LINK)
  await page.waitForSelector('form[data-passkey=invite]:not([hidden])')
  seen.for = await page.locator('[data-for]').innerText()
  await look('invite')
  await page.getByLabel('What you call this device').fill('laptop')
  await page.getByRole('button', { name: 'Create a passkey' }).click()
  await page.waitForURL(`${PLANE}/console`)
  const cookies = await context.cookies(PLANE)
  const { httpOnly, sameSite } = cookies.find((cookie) => cookie.name.endsWith('provost'))
  seen.cookie = { httpOnly, sameSite, seenByScript: await page.evaluate(() => document.cookie) }
  await page.goto(LINK)
  await page.reload()
  await page.waitForFunction(() => document.querySelector('[data-said]').textContent)
  seen.again = await said()

  // Held; read; signed; run once.
  const held = await pay(120)
  await page.goto(`${PLANE}/approvals/${held.approval}`)
  await look('approval')
  await page.getByLabel('Why (wanted for a no)').fill('order 55120, checked')
  await page.getByRole('button', { name: 'Yes, this once' }).click()
  await page.waitForSelector('.word.good:text("signed")')
  seen.granted = await page.locator('main').innerText()
  await look('granted')
  seen.first = { approval: held.approval, heldFirst: !held.done, ran: (await pay(120)).done, again: (await pay(120)).done }

  // Nobody touches the device: nothing is signed.
  const second = await pay(130)
  await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
  await page.goto(`${PLANE}/approvals/${second.approval}`)
  await page.getByRole('button', { name: 'Yes, this once' }).click()
  await page.waitForFunction(() => /Nothing was done/.test(document.querySelector('[data-said]').textContent))
  seen.unverified = await said()
  await device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true })

  // Other arguments, signed too.
  await page.getByText('Yes, but with other arguments').click()
  const box = page.getByLabel('The arguments instead, as JSON')
  await box.fill((await box.inputValue()).replace('130', '90'))
  await look('edit')
  await page.getByRole('button', { name: 'Yes to these' }).click()
  await page.waitForSelector('.word.good:text("signed")')
  seen.edited = { ran: (await pay(90)).done, original: (await pay(130)).done }

  // So many, for so long.
  const third = await pay(10)
  await page.goto(`${PLANE}/approvals/${third.approval}`)
  await page.getByText('Yes to calls like this').click()
  await page.getByLabel('How many calls').fill('2')
  await page.getByLabel('at most').fill('20')
  const form = page.locator('form[data-answer=envelope]')
  for (const box of await form.getByRole('checkbox').all()) await box.setChecked(false)
  await form.getByLabel('Why').fill('small change')
  await look('envelope')
  await page.getByRole('button', { name: 'Yes to all of these' }).click()
  await page.waitForFunction(() => /withdrawn/.test(document.querySelector('main').innerText))
  seen.envelope = { within: (await pay(11)).done, beyond: (await pay(21)).done }

  // A change of a charter, and the end of an order: each is signed where it is read.
  await page.goto(`${PLANE}/proposals/${process.env.PROPOSAL}`)
  await look('proposal')
  await page.getByLabel('Why (wanted for a no)').fill('the invoices are larger now')
  await page.getByRole('button', { name: 'Yes, make this change' }).click()
  await page.waitForSelector('.word.good:text("signed")')
  seen.changed = await page.locator('main').innerText()
  await page.goto(`${PLANE}/console/containments/${process.env.ORDER}`)
  await look('lift')
  await page.getByLabel('Why').fill('it was a false alarm')
  await page.getByRole('button', { name: 'Agree: lift it' }).click()
  await page.waitForFunction(() => /Lifted by/.test(document.querySelector('main').innerText))
  seen.lifted = await page.locator('main').innerText()

  // One's own sign-in.
  await page.goto(`${PLANE}/you`)
  await look('you')
  await page.getByText('Rename or remove laptop').click()
  await page.getByLabel('Name', { exact: true }).fill('old laptop')
  await page.getByRole('button', { name: 'Rename' }).click()
  await page.waitForSelector('strong:text("old laptop")')
  await page.getByText('Rename or remove old laptop').click()
  await page.getByRole('button', { name: 'Remove old laptop' }).click()
  await page.waitForSelector('h1:text("That is refused")')
  seen.last = await page.locator('main').innerText()
  await page.goto(`${PLANE}/you`)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForSelector('h1:text("Signed out")')
  await page.goto(`${PLANE}/approvals`)
  await page.waitForSelector('form[data-passkey=sign-in]:not([hidden])')
  await look('sign-in')
  await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
  await page.waitForURL(`${PLANE}/approvals`)
  seen.back = await page.locator('.who').innerText()
  // From another site by a link, with a strict cookie.
  await page.route('https://elsewhere.example/**', (route) => route.fulfill({
    contentType: 'text/html', body: `<title>mail</title><a id="go" href="${PLANE}/approvals/${held.approval}">the approval</a>`,
  }))
  await page.goto('https://elsewhere.example/mail')
  await page.click('#go')
  await page.waitForURL(`${PLANE}/approvals/${held.approval}`)
  await page.waitForSelector('h1:text("May invoice-clerk do this?")')
  seen.linked = true
  console.log(JSON.stringify({ ...seen, faults, complaints }))
} catch (error) {
  console.error(page.url(), await page.innerText('body').catch(() => ''), JSON.stringify(seen), complaints)
  throw error
} finally {
  await agent.close().catch(() => {})
  await browser.close()
}
