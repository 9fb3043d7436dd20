// A person with a session in a real browser (Chromium), who complains of everything that should not happen on a page of ours:
// an error, something the pages' own policy blocked, a dialog.
import { chromium } from 'playwright-core'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
export const plane = process.env.PLANE
export const [laptop, phone] = [{ width: 1280, height: 800 }, { width: 390, height: 844 }]
export const complaints = []

export const launch = () => chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })

/** A page of somebody with this session's secret, or of nobody. */
export async function visitor(browser, secret, more = {}) {
  const context = await browser.newContext({ viewport: laptop, timezoneId: 'Asia/Tokyo', locale: 'en-GB', ...more })
  if (secret) await context.addCookies([{ name: 'provost', value: secret, url: plane, httpOnly: true, sameSite: 'Lax' }])
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  page.on('console', (message) => {
    // The status of a page that says what went wrong is looked at where the page is.
    if (['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource: the server responded with a status')) {
      complaints.push(`${page.url()}: ${message.text()}`)
    }
  })
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error}`))
  page.on('dialog', (dialog) => { complaints.push(`${page.url()}: a dialog: ${dialog.message()}`); dialog.dismiss() })
  page.on('response', (response) => {
    const path = new URL(response.url()).pathname
    if (path.startsWith('/assets/') && response.status() >= 400) complaints.push(`${page.url()}: ${path} ${response.status()}`)
  })
  return page
}

/** Opens a page as `tests/common/pages.rs` lists it, and gives the status of the answer; what a form leads to is sent from a page of ours. */
export async function opened(page, { path, form }) {
  if (form) await page.goto(`${plane}/console`)
  const [answer] = form
    ? await Promise.all([page.waitForResponse((one) => one.request().isNavigationRequest()), page.evaluate(([to, fields]) => {
      const sent = document.createElement('form')
      Object.assign(sent, { method: 'post', action: to })
      for (const [name, value] of fields) sent.append(Object.assign(document.createElement('input'), { name, value }))
      document.body.append(sent)
      sent.submit()
    }, [path, form])])
    : [await page.goto(plane + path)]
  await page.waitForLoadState()
  return answer.status()
}
