// A person with a session in a real browser (Chromium) keeps the console open: what moves elsewhere shows without loading the page
// again, everything is done by keys alone, and without script it is all there. Prints one line of JSON.
//   PLANE, SECRET (the session's), MOVE (an address that is asked to make something move), APPROVER (another session), APPROVAL
//   (what waits for them)
import { complaints, launch, phone, plane as PLANE, visitor as visitorOf } from './console-visitor.mjs'

const { SECRET, MOVE, APPROVER, APPROVAL } = process.env
const browser = await launch()
const visitor = (more, secret = SECRET) => visitorOf(browser, secret, more)

/** Everything by keys alone: searching, walking through rows, the list of keys, and an answer to what waits. */
async function byKeys() {
  const page = await visitor({}, APPROVER)
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
  found.answered = (await page.textContent('.told')).includes('on record')
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

  console.log(JSON.stringify({ complaints, time, live, without, keys }))
} finally {
  await browser.close()
}
