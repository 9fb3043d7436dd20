// A person with a session in a real browser (Chromium) walks through the console: every page at laptop and phone width, light and
// dark. Looks for accessibility faults, for anything the pages' own policy blocked, for what a keyboard does not reach, for
// pages wider than the screen, and waits for a live update. Prints one line of JSON.
//   PLANE, SECRET (the session's), PAGES (JSON: paths), MOVE (an address that is asked to make something move),
//   SHOTS (a folder for pictures, optional)
import AxeBuilder from '@axe-core/playwright'
import { chromium } from 'playwright-core'

const { PLANE, SECRET, MOVE, SHOTS } = process.env
const pages = JSON.parse(process.env.PAGES)
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
const [laptop, phone] = [{ width: 1280, height: 800 }, { width: 390, height: 844 }]
const complaints = []
const faults = []
const wide = []
const unreached = []

async function visitor(more) {
  const context = await browser.newContext({ viewport: laptop, timezoneId: 'Asia/Tokyo', locale: 'en-GB', ...more })
  await context.addCookies([{ name: 'provost', value: SECRET, url: PLANE, httpOnly: true, sameSite: 'Lax' }])
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${page.url()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error}`))
  return page
}

const named = (path) => path.replace(/^\//, '').replace(/_0[0-9a-z]+$/, '').replace(/[^a-z]+/g, '-') || 'home'

async function look(page, path, scheme) {
  await page.emulateMedia({ colorScheme: scheme })
  const found = await new AxeBuilder({ page }).analyze()
  const serious = found.violations.filter((v) => ['serious', 'critical'].includes(v.impact))
  faults.push(...serious.map((v) => `${path} ${scheme}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`))
}

/** Every link, field and button that is shown must be reached by the Tab key, in the order of the page. */
async function keyboard(page, path) {
  const wanted = await page.evaluate(() => {
    const all = document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')
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

  // Times are the reader's, and say UTC when asked.
  await page.goto(`${PLANE}/console/decisions`)
  await page.waitForSelector('time[title]')
  const time = await page.$eval('tbody time', (one) => ({ shown: one.textContent, title: one.title }))

  // What happens elsewhere shows here, without loading the page again, and the keyboard stays where it was.
  await page.waitForFunction(() => document.getElementById('live')?.textContent === 'Live')
  await page.evaluate(() => { window.stayed = true })
  const rows = () => page.$$eval('tbody tr', (all) => all.length)
  await page.waitForTimeout(2500)
  const before = await rows()
  await page.focus('tbody a')
  const held = await page.evaluate(() => document.activeElement.getAttribute('href'))
  await (await fetch(MOVE, { method: 'POST' })).text()
  await page.waitForFunction((count) => document.querySelectorAll('tbody tr').length > count, before)
  const live = {
    stayed: await page.evaluate(() => window.stayed === true),
    focus: (await page.evaluate(() => document.activeElement.getAttribute('href'))) === held,
    rows: (await rows()) - before,
  }

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

  console.log(JSON.stringify({ faults, complaints, wide, unreached, time, live, without }))
} finally {
  await browser.close()
}
