// The console without a mouse: single keys, which a reader can turn off (WCAG 2.1.4), and buttons that copy.
// Each key does what a link or button of the page does.

const ROWS = 'main tbody tr, main .rows > li, main .wrong > li, main article.card, main article.tool'
const OFF = 'provost-keys'

/** `pause` holds still what is live; nothing, where nothing can be held. */
export function keys({ pause }) {
  const sheet = document.getElementById('keys')
  const choice = document.getElementById('keys-on')
  let on = kept() !== 'off'
  if (choice) {
    choice.checked = on
    choice.addEventListener('change', () => {
      on = choice.checked
      keep(on ? 'on' : 'off')
    })
  }
  let going = 0
  document.addEventListener('keydown', (event) => {
    if (!on || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return
    if (Date.now() < going) {
      going = 0
      const link = document.querySelector(`a[data-go="${CSS.escape(event.key)}"]`)
      if (link) { event.preventDefault(); link.click() }
      return
    }
    const does = {
      '/': () => document.getElementById('find')?.select(),
      '?': () => sheet?.togglePopover(),
      j: () => step(1),
      k: () => step(-1),
      p: pause,
      g: () => { going = Date.now() + 1_500 },
    }[event.key]
    if (!does) return
    event.preventDefault()
    does()
  })
  document.addEventListener('click', copy)
}

// A browser may keep nothing; then a choice lasts as long as the page.
function kept() { try { return localStorage.getItem(OFF) } catch { return null } }
function keep(word) { try { localStorage.setItem(OFF, word) } catch { /* for this page only */ } }

const typing = (target) => target instanceof Element && target.closest('input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]') !== null

/** From row to row, on the first link of each. */
function step(by) {
  const links = Array.from(document.querySelectorAll(ROWS), (row) => row.querySelector('th a, h3 a, a')).filter((link) => link?.checkVisibility())
  const row = document.activeElement?.closest(ROWS)
  const at = row ? links.findIndex((link) => row.contains(link)) : -1
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by]
  next?.focus()
  next?.closest(ROWS)?.scrollIntoView({ block: 'nearest' })
}

async function copy(event) {
  const button = event.target instanceof Element ? event.target.closest('[data-copy]') : null
  if (!button) return
  const text = button.previousElementSibling?.textContent ?? ''
  try {
    await navigator.clipboard.writeText(text)
    button.textContent = 'Copied'
  } catch {
    // Without a secure context there is no clipboard; the text is selected instead.
    getSelection()?.selectAllChildren(button.previousElementSibling)
    button.textContent = 'Selected'
  }
  setTimeout(() => { button.textContent = 'Copy' }, 1_500)
}
