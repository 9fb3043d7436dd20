// Times in the reader's zone, and pages that stay current. Every page is whole without this.
// Nothing is ever parsed from text here: the page is fetched again as a document, in which no script runs, and nodes are moved.

import { keys } from './keys.js'

const clock = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
})
const second = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const day = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' })

/** How far from now, in words; from a week on, the day. */
function distance(at) {
  const seconds = Math.round((Date.now() - at) / 1000)
  const far = Math.abs(seconds)
  const words = far < 45 ? null
    : far < 3_600 ? `${Math.max(1, Math.round(far / 60))} min`
    : far < 86_400 ? `${Math.round(far / 3_600)} h`
    : far < 7 * 86_400 ? `${Math.round(far / 86_400)} d` : ''
  if (words === null) return seconds < 0 ? 'in a moment' : 'just now'
  if (words === '') return day.format(at)
  return seconds < 0 ? `in ${words}` : `${words} ago`
}

function local(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime)
    if (Number.isNaN(at.getTime())) continue
    const exact = 'exact' in time.dataset
    if (!time.title) time.title = `${clock.format(at)} · ${time.textContent}`
    const says = !exact ? distance(at) : day.format(at) === day.format(new Date()) ? second.format(at) : clock.format(at)
    if (time.textContent !== says) time.textContent = says
  }
}

/** What tells one child of its parent from the others, if anything does. */
const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset?.key || '' : '')

/** Whether somebody typed into it, and has not sent it. */
function holds(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return false
  const fields = node.matches('input, textarea, select') ? [node] : node.querySelectorAll('input, textarea, select')
  return Array.from(fields).some((field) => field.type !== 'hidden' && (field === document.activeElement ||
    (field instanceof HTMLSelectElement ? Array.from(field.options).some((one) => one.selected !== one.defaultSelected)
      : ['checkbox', 'radio'].includes(field.type) ? field.checked !== field.defaultChecked : field.value !== field.defaultValue)))
}

/** Makes one element say what another says, and leaves alone what is the same: focus, scrolling, what is open, what was typed. */
function become(have, want) {
  if (have.localName === 'time' && have.dateTime === want.dateTime) return
  for (const { name } of Array.from(have.attributes)) {
    if (!want.hasAttribute(name) && !(name === 'open' && have.localName === 'details')) have.removeAttribute(name)
  }
  for (const { name, value } of want.attributes) {
    if (have.getAttribute(name) !== value) have.setAttribute(name, value)
  }
  if (have.localName === 'time') have.title = ''
  const known = new Map()
  for (const child of have.children) if (key(child)) known.set(key(child), child)
  let place = have.firstChild
  for (const next of Array.from(want.childNodes)) {
    let same = key(next) ? known.get(key(next)) ?? null : place
    while (same && !key(next) && (key(same) || same.nodeName !== next.nodeName)) same = same.nextSibling
    if (!same || same.nodeName !== next.nodeName) {
      const fresh = document.importNode(next, true)
      if (key(next)) fresh.classList?.add('fresh')
      have.insertBefore(fresh, place)
      continue
    }
    if (same === place) place = place.nextSibling
    else if (have.moveBefore) have.moveBefore(same, place)
    else have.insertBefore(same, place)
    if (same.nodeType === Node.ELEMENT_NODE) become(same, next)
    else if (same.nodeValue !== next.nodeValue) same.nodeValue = next.nodeValue
  }
  while (place) {
    const gone = place
    place = place.nextSibling
    if (holds(gone)) say('This page changed: load it again')
    else gone.remove()
  }
}

/** A part of a page that is fetched again when something moved; found again by its id. */
class LiveFragment extends HTMLElement {
  connectedCallback() {
    this.said ??= this.innerHTML
    local(this)
  }

  take(fresh) {
    const said = fresh.innerHTML
    if (said === this.said) return
    this.said = said
    const held = this.contains(document.activeElement) ? document.activeElement : null
    const mark = held && name(held)
    become(this, fresh)
    local(this)
    if (held && !held.isConnected) Array.from(this.querySelectorAll('a, button, summary')).find((one) => name(one) === mark)?.focus()
  }
}

const name = (element) => element.getAttribute('href') ?? element.textContent

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
  if (!place || place.textContent === text) return
  const word = document.createElement('span')
  word.className = 'text'
  word.textContent = text
  place.replaceChildren(word)
  place.title = text
  place.classList.toggle('on', text === 'Live')
}

// What is read line by line can be held still.
const pause = document.querySelector('[data-pause]')
let paused = false
let missed = false
function hold() {
  paused = !paused
  pause.setAttribute('aria-pressed', String(paused))
  pause.textContent = paused ? 'Resume' : 'Pause'
  if (!paused && missed) { missed = false; refresh() }
}
pause?.addEventListener('click', hold)

function moved() {
  if (!paused) return refresh()
  missed = true
  pause.textContent = 'Resume: there is something new'
}

let events = null
let seen = null
function listen() {
  if (events || document.hidden) return
  events = new EventSource('/events')
  events.addEventListener('open', () => say('Live'))
  events.addEventListener('moved', (event) => {
    // The first one, too: something may have moved since the page was made.
    if (seen !== event.data) moved()
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

// Told once: loading the page again does not say it again.
const here = new URL(location.href)
if (here.searchParams.has('done')) {
  here.searchParams.delete('done')
  history.replaceState(null, '', here)
}

document.documentElement.classList.add('js')
customElements.define('live-fragment', LiveFragment)
keys({ pause: pause ? hold : null })
local(document)
setInterval(() => { if (!document.hidden) local(document) }, 20_000)
if (document.querySelector('live-fragment')) {
  document.addEventListener('visibilitychange', turn)
  listen()
}
