// A person with a session in a real browser (Chromium) walks through the console: every page at laptop and phone width, light and
// dark. Looks for accessibility faults, for anything the pages' own policy blocked, for what a keyboard does not reach, for
// pages wider than the screen, and waits for a live update. Prints one line of JSON.
//   PLANE, SECRET (the session's), PAGES (JSON: paths), MOVE (an address that is asked to make something move),
//   WALK (`only`: nothing but the walk through the pages), APPROVER (another session), APPROVAL (what waits for them),
//   SHOTS (a folder for pictures, optional)
import AxeBuilder from '@axe-core/playwright'
import { chromium } from 'playwright-core'

const { PLANE, SECRET, MOVE, SHOTS, WALK, APPROVER, APPROVAL } = process.env
const pages = JSON.parse(process.env.PAGES)
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
const [laptop, phone] = [{ width: 1280, height: 800 }, { width: 390, height: 844 }]
const complaints = []
const faults = []
const wide = []
const unreached = []

async function visitor(more, secret = SECRET) {
  const context = await browser.newContext({ viewport: laptop, timezoneId: 'Asia/Tokyo', locale: 'en-GB', ...more })
  await context.addCookies([{ name: 'provost', value: secret, url: PLANE, httpOnly: true, sameSite: 'Lax' }])
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${page.url()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error}`))
  page.on('dialog', (dialog) => { complaints.push(`${page.url()}: a dialog: ${dialog.message()}`); dialog.dismiss() })
  return page
}

const named = (path) => path.replace(/^\//, '').replace(/_0[0-9a-z]+$/, '').replace(/[^a-z]+/g, '-') || 'home'

async function look(page, path, scheme) {
  await page.emulateMedia({ colorScheme: scheme })
  const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze()
  const serious = found.violations.filter((v) => ['serious', 'critical'].includes(v.impact))
  faults.push(...serious.map((v) => `${path} ${scheme}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`))
}

/** Every link, field and button that is shown must be reached by the Tab key, in the order of the page. */
async function keyboard(page, path) {
  const wanted = await page.evaluate(() => {
    const all = document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')
    // What a closed part of the page hides is reached when it is open.
    const shown = Array.from(all).filter((one) => one.checkVisibility({ contentVisibilityAuto: true }))
    shown.forEach((one, place) => { one.dataset.place = String(place) })
    return shown.length
  })
  const reached = new Set()
  for (let step = 0; step < wanted + 5 && reached.size < wanted; step++) {
    await page.keyboard.press('Tab')
    const place = await page.evaluate(() => document.activeElement?.dataset?.place)
    if (place !== undefined) reached.add(place)
  }
  if (reached.size < wanted) unreached.push(`${path}: ${reached.size} of ${wanted}`)
}

/** Everything by keys alone: searching, walking through rows, the list of keys, and an answer to what waits. */
async function byKeys() {
  const page = await visitor({}, APPROVER)
  const focused = (of) => page.evaluate(of)
  const found = {}
  await page.goto(`${PLANE}/console`)
  await page.keyboard.press('/')
  await page.keyboard.type('invoice')
  await Promise.all([page.waitForURL('**/console/search**'), page.keyboard.press('Enter')])
  found.search = (await page.locator('.results a').first().textContent()) === 'invoice-clerk'
  await page.keyboard.press('j')
  await Promise.all([page.waitForURL('**/console/agents/invoice-clerk'), page.keyboard.press('Enter')])
  found.row = true
  await page.keyboard.press('?')
  found.help = await page.locator('#keys').evaluate((sheet) => sheet.matches(':popover-open'))
  await page.keyboard.press('Escape')
  await page.keyboard.press('g')
  await Promise.all([page.waitForURL('**/approvals'), page.keyboard.press('p')])
  found.went = true
  // Who turned single keys off types them.
  await page.keyboard.press('?')
  await page.locator('#keys-on').focus()
  await page.keyboard.press('Space')
  await page.keyboard.press('Escape')
  await page.keyboard.press('?')
  found.off = !(await page.locator('#keys').evaluate((sheet) => sheet.matches(':popover-open')))
  await page.evaluate(() => localStorage.clear())
  await page.reload()
  // To the approval, its form, and a no, by Tab, letters and Enter.
  await tabTo(page, `a[href="/approvals/${APPROVAL}"]`)
  await Promise.all([page.waitForURL(`**/approvals/${APPROVAL}`), page.keyboard.press('Enter')])
  await tabTo(page, 'form[action$="/answer"] [name=reason]')
  await page.keyboard.type('not this payee')
  await tabTo(page, 'form[action$="/answer"] [name=answer][value=no]')
  await Promise.all([page.waitForURL(`**/approvals/${APPROVAL}**`), page.keyboard.press('Enter')])
  await page.waitForSelector('.told')
  found.answered = (await focused(() => document.querySelector('.told').textContent)).includes('on record')
  // On a phone the pages open over the page, and Escape closes them.
  await page.setViewportSize(phone)
  await tabTo(page, '.menu')
  await page.keyboard.press('Enter')
  const open = () => page.locator('#pages').evaluate((nav) => nav.matches(':popover-open'))
  const opened = await open()
  await page.keyboard.press('Escape')
  found.menu = opened && !(await open())
  return found
}

async function tabTo(page, selector) {
  for (let step = 0; step < 120; step++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return
  }
  throw new Error(`${page.url()}: Tab does not reach ${selector}`)
}

try {
  const page = await visitor({})
  for (const path of pages) {
    await page.goto(PLANE + path)
    await page.waitForFunction(() => !document.querySelector('time[datetime]:not([title])'))
    await look(page, path, 'light')
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${named(path)}-laptop-light.png`, fullPage: true })
    await look(page, path, 'dark')
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${named(path)}-laptop-dark.png`, fullPage: true })
    await page.setViewportSize(phone)
    await look(page, path, 'dark')
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${named(path)}-phone-dark.png`, fullPage: true })
    await page.emulateMedia({ colorScheme: 'light' })
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${named(path)}-phone-light.png`, fullPage: true })
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    if (over > 1) wide.push(`${path}: ${over}`)
    await page.setViewportSize(laptop)
    await page.goto(PLANE + path)
    await keyboard(page, path)
  }

  if (WALK === 'only') {
    console.log(JSON.stringify({ faults, complaints, wide, unreached }))
    process.exitCode = 0
  } else {
  // Times are said as a distance, and are the reader's and UTC when asked.
  await page.goto(`${PLANE}/console/decisions`)
  await page.waitForSelector('time[title]')
  const time = await page.$eval('tbody time', (one) => ({ shown: one.textContent, title: one.title, zone: one.title }))

  // What happens elsewhere shows here, without loading the page again, and the keyboard stays where it was.
  await page.waitForFunction(() => document.getElementById('live')?.textContent === 'Live')
  await page.evaluate(() => { window.stayed = true })
  const first = () => page.$eval('tbody tr', (row) => row.dataset.key)
  const move = async () => (await fetch(MOVE, { method: 'POST' })).text()
  await page.waitForTimeout(2500)
  await page.focus('tbody a')
  const held = await page.evaluate(() => document.activeElement.getAttribute('href'))
  const came = await move()
  await page.waitForFunction((id) => document.querySelector('tbody tr')?.dataset.key === id, came)
  const live = {
    stayed: await page.evaluate(() => window.stayed === true),
    focus: (await page.evaluate(() => document.activeElement.getAttribute('href'))) === held,
    rows: (await first()) === came,
  }
  // A form that is being filled in, on a page whose parts change under it, keeps what was typed.
  await page.fill('input[name=agent]', 'half a thought')
  const second = await move()
  await page.waitForFunction((id) => document.querySelector('tbody tr')?.dataset.key === id, second)
  live.typed = await page.inputValue('input[name=agent]')
  // What is held still stays still until it is let go.
  await page.goto(`${PLANE}/console/activity`)
  await page.waitForFunction(() => document.getElementById('live')?.textContent === 'Live')
  await page.waitForTimeout(2500)
  await page.click('[data-pause]')
  const still = await first()
  const third = await move()
  await page.waitForFunction(() => document.querySelector('[data-pause]').textContent.includes('new'))
  const stood = (await first()) === still
  await page.click('[data-pause]')
  await page.waitForFunction((id) => document.querySelector('tbody tr')?.dataset.key === id, third)
  live.paused = stood

  const keys = await byKeys()

  // Without script it is all there, in UTC.
  const plain = await visitor({ javaScriptEnabled: false })
  await plain.goto(`${PLANE}/console/decisions`)
  const without = { rows: await plain.locator('tbody tr').count(), time: await plain.locator('tbody time').first().textContent() }
  await plain.fill('input[name=agent]', 'nobody')
  await plain.click('main button')
  without.search = await plain.locator('.empty').innerText()
  await plain.goto(`${PLANE}/console`)
  await plain.keyboard.press('Tab')
  without.skip = await plain.evaluate(() => document.activeElement.textContent).catch(() => 'no script')

  console.log(JSON.stringify({ faults, complaints, wide, unreached, time, live, without, keys }))
  }
} finally {
  await browser.close()
}
