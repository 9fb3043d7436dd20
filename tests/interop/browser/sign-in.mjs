// A person in a real browser (Chromium): comes from an application, signs in at an identity provider by others
// (oidc-provider), reads what is asked, and says yes or no. Looks for accessibility faults on each of our pages, and for
// anything the pages' own policy blocked. Prints one line of JSON.
//   PLANE, AUTHORIZE (the whole address of the request), LOGIN, ANSWER (yes | no), SHOTS (a folder for pictures, optional)
import AxeBuilder from '@axe-core/playwright'
import { chromium } from 'playwright-core'

const { PLANE, AUTHORIZE, LOGIN, ANSWER, SHOTS } = process.env
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: process.env.SCHEME ?? 'light' })
const page = await context.newPage()
page.setDefaultTimeout(10_000)

const complaints = []
page.on('console', (message) => {
  // The provider's own pages are its own affair.
  if (message.type() === 'error' && page.url().startsWith(PLANE)) complaints.push(message.text())
})
const sent = []
await page.route('https://app.example/**', (route) => {
  sent.push(route.request().url())
  return route.fulfill({ status: 200, contentType: 'text/html', body: '<title>app</title>back in the application' })
})

const faults = []
async function look(name) {
  const found = await new AxeBuilder({ page }).analyze()
  faults.push(...found.violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${name}: ${v.id}`))
  if (!SHOTS) return
  await page.screenshot({ path: `${SHOTS}/${name}-laptop.png`, fullPage: true })
  await page.setViewportSize({ width: 390, height: 844 })
  await page.screenshot({ path: `${SHOTS}/${name}-phone.png`, fullPage: true })
  await page.setViewportSize({ width: 1280, height: 800 })
}

try {
  await page.goto(AUTHORIZE)
  await look('sign-in')
  // Without a mouse: the first thing to reach after the mark is the provider.
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await Promise.all([page.waitForURL((url) => !url.href.startsWith(PLANE)), page.keyboard.press('Enter')])
  await page.fill('input[name=login]', LOGIN)
  await page.fill('input[name=password]', 'any')
  await page.click('button[type=submit]')
  // The provider asks its own consent, once.
  await page.waitForLoadState()
  if (!page.url().startsWith(PLANE)) await page.click('button[type=submit]')
  await page.waitForURL(`${PLANE}/oauth/authorize**`)
  await look('consent')
  const text = await page.innerText('main')
  const cookies = await context.cookies(PLANE)
  const session = cookies.find((cookie) => cookie.name.endsWith('provost'))
  if (ANSWER === 'yes') {
    await page.getByLabel('What is it for').fill('the invoices of May')
    await page.getByLabel(/bank\/transfer/).uncheck()
    await page.getByRole('button', { name: /act for me/ }).click()
  } else {
    await page.getByRole('button', { name: 'No' }).click()
  }
  await page.waitForURL('https://app.example/**')
  const answer = Object.fromEntries(new URL(sent[0]).searchParams)
  console.log(JSON.stringify({
    answer, faults, complaints, text,
    cookie: { httpOnly: session.httpOnly, sameSite: session.sameSite, seenByScript: await page.evaluate(() => document.cookie) },
  }))
} catch (error) {
  console.error(page.url(), await page.innerText('body'))
  throw error
} finally {
  await browser.close()
}
