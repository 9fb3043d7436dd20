// Pictures of pages for people who look: each at laptop and phone width, light and dark.
//   PLANE, SESSIONS, PAGES (as for walk.mjs; SHOTS of `a_plane_to_look_at` writes them), SHOTS (a folder),
//   ONLY (a part of the address, optional), LOOKS (some of the four, optional), FULL (no: as much as the window shows),
//   ASSETS (a folder whose style and modules are used instead, optional)
import { readFile } from 'node:fs/promises'
import { complaints, laptop, launch, opened, phone, visitor } from './console-visitor.mjs'

const { SHOTS, ASSETS, ONLY = '' } = process.env
const sessions = JSON.parse(process.env.SESSIONS)
const looks = (process.env.LOOKS ?? 'laptop-light,laptop-dark,phone-light,phone-dark').split(',')
const KINDS = { css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' }
const browser = await launch()
try {
  const pages = {}
  let place = 0
  for (const line of JSON.parse(process.env.PAGES)) {
    place += 1
    if (!line.path.includes(ONLY)) continue
    const page = pages[line.who] ??= await visitor(browser, sessions[line.who], { timezoneId: 'Europe/Berlin' })
    if (ASSETS) {
      await page.route('**/assets/*', async (route) => {
        const name = new URL(route.request().url()).pathname.split('/').pop()
        await route.fulfill({ body: await readFile(`${ASSETS}/${name}`), contentType: KINDS[name.split('.').pop()] })
      })
    }
    const name = `${String(place).padStart(2, '0')}-${line.path.replace(/^\//, '').replace(/\?.*/, '-q').replace(/_[0-9a-z]{8,}/g, '').replace(/[^a-z]+/g, '-') || 'home'}-${line.who}`
    await page.setViewportSize(laptop)
    await opened(page, line)
    for (const look of looks) {
      const [size, colorScheme] = look.split('-')
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.setViewportSize(size === 'phone' ? phone : laptop)
      await page.screenshot({ path: `${SHOTS}/${name}-${look}.png`, fullPage: process.env.FULL !== 'no' })
    }
  }
  complaints.forEach((one) => console.log(one))
} finally {
  await browser.close()
}
