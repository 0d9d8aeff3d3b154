// Keeps a page live: its sign, its stream, and what an update must leave alone while somebody reads or acts.
// It is loaded before htmx, so that it hears of the first connection.
(() => {
  'use strict'

  const pulse = document.getElementById('pulse')
  const show = (live) => {
    pulse.hidden = false
    const text = live ? pulse.dataset.on : pulse.dataset.off
    if (pulse.textContent !== text) pulse.textContent = text
    pulse.classList.toggle('off', !live)
  }

  // A session that is over (its cookie has expired, or the stack came back with another token) is said once and plainly.
  // Somebody may come in again in another tab; then everything on this page, its forms too, is of the old session.
  let sessionOver = false
  const noteStatus = (status) => {
    if (status !== 403 || sessionOver) return
    sessionOver = true
    document.dispatchEvent(new CustomEvent('tournee:notice', { detail: { text: pulse.dataset.over, tone: 'warn' } }))
  }
  document.addEventListener('htmx:sse:after:connection', () => {
    if (sessionOver) location.reload()
    show(true)
  })
  document.addEventListener('htmx:sse:after:message', () => show(true))
  document.addEventListener('htmx:sse:error', (event) => {
    noteStatus(event.detail?.status)
    show(false)
  })
  document.addEventListener('htmx:sse:before:connection', (event) => {
    if (event.detail?.connection?.attempt > 0) show(false)
  })

  // htmx tries again when a stream ends, but not when the first request for it fails.
  const isStream = (element) => element?.hasAttribute?.('hx-sse:connect')
  const reopen = (stream) => setTimeout(() => {
    const fresh = stream.cloneNode(false)
    stream.replaceWith(fresh)
    htmx.process(fresh)
  }, 2000)
  for (const name of ['htmx:response:error', 'htmx:error']) {
    document.addEventListener(name, (event) => {
      const { ctx } = event.detail ?? {}
      const status = ctx?.response?.status
      // Once it was open, htmx itself goes on trying.
      if (!isStream(ctx?.sourceElement) || (status && status < 400)) return
      noteStatus(status)
      show(false)
      reopen(ctx.sourceElement)
    })
  }

  // When an update takes away what had the focus, the focus stays at that place of the page.
  let trail = []
  document.addEventListener('focusin', (event) => {
    trail = []
    for (let node = event.target; node instanceof Element; node = node.parentElement) trail.push(node)
  })
  const keepFocus = () => {
    if (!trail.length || trail[0].isConnected || document.activeElement !== document.body) return
    const place = trail.find((node) => node.isConnected && node.matches('.card, main'))
    if (!place) return
    place.tabIndex = -1
    place.focus({ preventScroll: true })
  }
  for (const name of ['htmx:sse:after:message', 'htmx:after:swap']) document.addEventListener(name, keepFocus)
})()
