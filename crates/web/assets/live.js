// Times in the reader's zone, and pages that stay current. Every page is whole without this.
// Nothing is ever parsed from text here: the page is fetched again as a document, in which no script runs, and nodes are moved.

const clock = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
})

function local(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime)
    if (Number.isNaN(at.getTime()) || time.title) continue
    time.title = time.textContent
    time.textContent = clock.format(at)
  }
}

/** A part of a page that is fetched again when something moved; found again by its id. */
class LiveFragment extends HTMLElement {
  connectedCallback() {
    this.said = this.innerHTML
    local(this)
  }

  take(fresh) {
    const said = fresh.innerHTML
    if (said === this.said) return
    const held = this.contains(document.activeElement) ? mark(document.activeElement) : null
    const open = new Set(Array.from(this.querySelectorAll('details[open] > summary'), (summary) => summary.textContent))
    this.replaceChildren(...Array.from(fresh.childNodes, (node) => document.importNode(node, true)))
    this.said = said
    for (const summary of this.querySelectorAll('details > summary')) {
      if (open.has(summary.textContent)) summary.parentElement.open = true
    }
    local(this)
    if (held) Array.from(this.querySelectorAll('a, button, summary')).find((one) => mark(one) === held)?.focus()
  }
}

const mark = (element) => element.getAttribute('href') ?? element.textContent

function page() {
  return new Promise((done, fail) => {
    const ask = new XMLHttpRequest()
    ask.open('GET', location.href)
    ask.responseType = 'document'
    ask.onload = () => done(ask)
    ask.onerror = fail
    ask.send()
  })
}

let asking = false
let again = false
async function refresh() {
  if (asking) { again = true; return }
  asking = true
  try {
    const ask = await page()
    if (new URL(ask.responseURL).pathname !== location.pathname) return over()
    if (ask.status !== 200 || !ask.response) return
    for (const fragment of document.querySelectorAll('live-fragment[id]')) {
      const fresh = ask.response.getElementById(fragment.id)
      if (fresh) fragment.take(fresh)
    }
  } catch {
    say('Not live')
  } finally {
    await new Promise((done) => setTimeout(done, 1500))
    asking = false
    if (again) { again = false; refresh() }
  }
}

const place = document.getElementById('live')
function say(text) {
  if (place && place.textContent !== text) place.textContent = text
}

let events = null
let seen = null
function listen() {
  if (events || document.hidden) return
  events = new EventSource('/events')
  events.addEventListener('open', () => say('Live'))
  events.addEventListener('moved', (event) => {
    // The first one, too: something may have moved since the page was made.
    if (seen !== event.data) refresh()
    seen = event.data
  })
  events.addEventListener('over', over)
  events.addEventListener('error', () => say(events?.readyState === EventSource.CLOSED ? 'Not live' : 'Connecting'))
}

function leave() {
  events?.close()
  events = null
}

function over() {
  leave()
  document.removeEventListener('visibilitychange', turn)
  say('Signed out: load the page again')
}

// A page that nobody sees holds no connection; browsers have few for each host.
function turn() {
  if (document.hidden) leave()
  else listen()
}

customElements.define('live-fragment', LiveFragment)
local(document)
if (document.querySelector('live-fragment')) {
  document.addEventListener('visibilitychange', turn)
  listen()
}
