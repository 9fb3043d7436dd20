// Every page of the plane, opened once, at laptop and phone width, light and dark: accessibility faults, what the pages' own policy
// blocked, pages wider than the screen, headings and landmarks, and everything a keyboard does not reach or does not show that it
// reached. Prints one line of JSON.
//   PLANE, SESSIONS (JSON: name to a session's secret; an empty one is nobody's),
//   PAGES (JSON: [{ path, who, status, form }], a form's fields if the page is the answer to one)
//
// What takes time is axe, so it looks at each page whole twice (laptop light, phone dark: the phone has another layout), and in
// the other two looks only at what a look can change, which is colour. Keys are sent without waiting for each.
import axe from 'axe-core'
import { complaints, laptop, launch, opened, phone, visitor } from './console-visitor.mjs'

const sessions = JSON.parse(process.env.SESSIONS)
const queue = JSON.parse(process.env.PAGES)
const found = { faults: [], wide: [], unreached: [], shape: [], walked: 0 }
const EVERYTHING = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }
const COLOUR = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] }

async function look(page, name, rules) {
  const violations = await page.evaluate(async (runOnly) => {
    const { violations } = await window.axe.run(document, { runOnly, resultTypes: ['violations'] })
    return violations.filter((one) => ['serious', 'critical'].includes(one.impact))
      .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`)
  }, rules)
  found.faults.push(...violations.map((one) => `${name}: ${one}`))
}

/** Every link, field and button that is shown is reached by the Tab key, and shows that it has the focus. */
async function keyboard(page, name) {
  const wanted = await page.evaluate(() => {
    const all = document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')
    // What a closed part of the page hides is reached when it is open.
    const shown = Array.from(all).filter((one) => one.checkVisibility({ contentVisibilityAuto: true }))
    shown.forEach((one, place) => { one.dataset.place = String(place) })
    window.reached = new Set()
    window.unseen = new Set()
    document.addEventListener('focusin', ({ target }) => {
      if (target.dataset.place === undefined) return
      window.reached.add(target.dataset.place)
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(target)
      if ((outlineStyle === 'none' || outlineWidth === '0px') && boxShadow === 'none') window.unseen.add(target.outerHTML.slice(0, 120))
    })
    return shown.length
  })
  const keys = await page.context().newCDPSession(page)
  const tab = { key: 'Tab', code: 'Tab', windowsVirtualKeyCode: 9 }
  for (let left = wanted + 5; left > 0; left -= 40) {
    const presses = Array.from({ length: Math.min(left, 40) }, () => [
      keys.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', ...tab }), keys.send('Input.dispatchKeyEvent', { type: 'keyUp', ...tab }),
    ])
    await Promise.all(presses.flat())
  }
  await keys.detach()
  const { reached, unseen } = await page.evaluate(() => ({ reached: window.reached.size, unseen: Array.from(window.unseen) }))
  if (reached < wanted) found.unreached.push(`${name}: ${reached} of ${wanted}`)
  found.unreached.push(...unseen.map((one) => `${name}: has the focus and does not show it: ${one}`))
}

/** One h1, a title of its own, a main and a banner; whatever is shown inside the frame has the navigation, too. */
async function shape(page, name) {
  const wrong = await page.evaluate(() => {
    const count = (selector) => document.querySelectorAll(selector).length
    const levels = Array.from(document.querySelectorAll('h1, h2, h3, h4'), (one) => Number(one.localName[1]))
    const main = Array.from(document.querySelectorAll('main h1, main h2, main h3'), (one) => Number(one.localName[1]))
    return [
      count('h1') !== 1 && `${count('h1')} headings of the page`,
      (!document.title.endsWith(' · Provost') || document.title.startsWith(' ·')) && `its title is ${JSON.stringify(document.title)}`,
      count('main') !== 1 && 'no main', count('body > header') !== 1 && 'no banner',
      document.body.classList.contains('console') && count('nav[aria-label]') < 1 && 'no navigation',
      main.some((level, place) => place > 0 && level > main[place - 1] + 1) && `headings skip a level: ${levels}`,
      Array.from(document.querySelectorAll('[id]'), (one) => one.id).some((id, place, all) => all.indexOf(id) !== place) && 'an id twice',
    ].filter(Boolean)
  })
  found.shape.push(...wrong.map((one) => `${name}: ${one}`))
}

/** With axe on every page, from its beginning. */
async function armed(browser, secret) {
  const page = await visitor(browser, secret)
  await page.addInitScript({ content: axe.source })
  return page
}

async function walk(browser) {
  const pages = {}
  for (let line = queue.shift(); line; line = queue.shift()) {
    const name = `${line.path} (${line.who})`
    const page = pages[line.who] ??= await armed(browser, sessions[line.who])
    try {
      await page.setViewportSize(laptop)
      await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
      const status = await opened(page, line)
      if (status !== line.status) found.shape.push(`${name}: HTTP ${status}, not ${line.status}`)
      await page.waitForFunction(() => !document.querySelector('time[datetime]:not([title])'))
      await shape(page, name)
      await look(page, `${name} laptop light`, EVERYTHING)
      await page.emulateMedia({ colorScheme: 'dark' })
      await look(page, `${name} laptop dark`, COLOUR)
      await keyboard(page, name)
      await page.setViewportSize(phone)
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      if (over > 1) found.wide.push(`${name}: ${over}`)
      await look(page, `${name} phone dark`, EVERYTHING)
      await page.emulateMedia({ colorScheme: 'light' })
      await look(page, `${name} phone light`, COLOUR)
      found.walked += 1
    } catch (error) {
      found.shape.push(`${name}: ${String(error).slice(0, 300)}`)
    }
  }
}

const browser = await launch()
try {
  await Promise.all([walk(browser), walk(browser)])
  console.log(JSON.stringify({ ...found, complaints }))
} finally {
  await browser.close()
}
