// The pictures of the documents, made by docs/pictures/make: a few pages of a plane that `a_plane_to_look_at` holds open.
//   SAID (the file it wrote), SHOTS (a folder)
import { readFile } from 'node:fs/promises'

const { SAID, SHOTS } = process.env
const { plane, sessions, pages } = JSON.parse(await readFile(SAID, 'utf8'))
process.env.PLANE = plane
const { launch, phone, visitor } = await import('./console-visitor.mjs')

const starting = (start) => pages.find((page) => page.path.startsWith(start)).path
const PICTURES = [
  ['overview', '/console', 'olga', 'light'],
  ['approval', starting('/approvals/approval_'), 'maria', 'light'],
  ['agent', '/console/agents/invoice-clerk', 'olga', 'light'],
  ['activity', '/console/activity', 'olga', 'dark'],
  ['approval-phone', starting('/approvals/approval_'), 'maria', 'dark', phone],
]
const browser = await launch()
try {
  for (const [name, path, who, colorScheme, viewport = { width: 1200, height: 750 }] of PICTURES) {
    const page = await visitor(browser, sessions[who], { viewport, colorScheme, timezoneId: 'Europe/Berlin', reducedMotion: 'reduce' })
    // Passkeys want the name, not the number.
    await page.goto(plane + path)
    await page.waitForFunction(() => !document.querySelector('time[datetime]:not([title])'))
    await page.waitForTimeout(500)
    await page.screenshot({ path: `${SHOTS}/${name}.png` })
    await page.context().close()
  }
} finally {
  await browser.close()
}
