// Pictures of pages for people who look: each at laptop and phone width, light and dark.
//   PLANE, SECRET (a session's), PAGES (JSON: paths), SHOTS (a folder), ASSETS (a folder whose style and modules are used instead, optional)
import { chromium } from 'playwright-core'
import { readFile } from 'node:fs/promises'

const { PLANE, SECRET, SHOTS, ASSETS } = process.env
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
const looks = (process.env.LOOKS ?? 'laptop-light,laptop-dark,phone-light,phone-dark').split(',')
try {
  const context = await browser.newContext({ timezoneId: 'Europe/Berlin', locale: 'en-GB' })
  await context.addCookies([{ name: 'provost', value: SECRET, url: PLANE, httpOnly: true, sameSite: 'Lax' }])
  const page = await context.newPage()
  if (ASSETS) {
    await page.route('**/assets/*', async (route) => {
      const name = new URL(route.request().url()).pathname.split('/').pop()
      const contentType = { css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' }[name.split('.').pop()]
      await route.fulfill({ body: await readFile(`${ASSETS}/${name}`), contentType })
    })
  }
  page.on('console', (message) => { if (message.type() === 'error') console.log(page.url(), message.text()) })
  page.on('pageerror', (error) => console.log(page.url(), String(error)))
  for (const path of JSON.parse(process.env.PAGES)) {
    const name = path.replace(/^\//, '').replace(/_[0-9a-z]{8,}/g, '').replace(/[^a-z]+/g, '-') || 'home'
    for (const look of looks) {
      const [size, colorScheme] = look.split('-')
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize(size === 'phone' ? { width: 390, height: 844 } : { width: 1366, height: 768 })
      const answer = await page.goto(PLANE + path)
      if (answer.status() >= 400) console.log(path, answer.status())
      await page.waitForTimeout(150)
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      if (over > 1) console.log(path, look, 'is wider than the screen by', over)
      await page.screenshot({ path: `${SHOTS}/${name}-${look}.png`, fullPage: process.env.FULL !== 'no' })
    }
  }
} finally {
  await browser.close()
}
