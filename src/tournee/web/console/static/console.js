// What the pages need beyond htmx: the reader's time zone, a confirmation dialog, the sign that the page is live.
// It is loaded before htmx, so that it hears of the first connection and asks before htmx sends a form.
(() => {
  'use strict'

  // The server writes times in the reader's own zone; it learns the zone once.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
  if (document.documentElement.dataset.zone !== zone && !sessionStorage.getItem('zone-told')) {
    sessionStorage.setItem('zone-told', zone)
    document.cookie = `tournee_zone=${zone}; path=/; max-age=31536000; samesite=strict`
    location.reload()
  }

  const pulse = document.getElementById('pulse')
  const show = (live) => {
    pulse.hidden = false
    const text = live ? pulse.dataset.on : pulse.dataset.off
    if (pulse.textContent !== text) pulse.textContent = text
    pulse.classList.toggle('off', !live)
  }
  document.addEventListener('htmx:sse:after:connection', () => show(true))
  document.addEventListener('htmx:sse:after:message', () => show(true))
  document.addEventListener('htmx:sse:error', () => show(false))
  document.addEventListener('htmx:sse:before:connection', (event) => {
    if (event.detail?.connection?.attempt > 0) show(false)
  })

  // A form with data-confirm is asked about first; with data-asks-reason the answer carries a reason.
  const dialog = document.getElementById('confirm')
  const ask = (form) => new Promise((resolve) => {
    const reason = dialog.querySelector('.reason')
    dialog.querySelector('#confirm-text').textContent = form.dataset.confirm
    reason.hidden = !('asksReason' in form.dataset)
    reason.querySelector('input').value = ''
    dialog.querySelector('#confirm-yes').classList.toggle('danger', !('good' in form.dataset))
    dialog.returnValue = 'no'
    dialog.addEventListener('close', () => {
      const field = form.querySelector('input[name=reason]')
      if (field) field.value = reason.querySelector('input').value
      resolve(dialog.returnValue === 'yes')
    }, { once: true })
    dialog.showModal()
  })
  // Enter in the reason field means yes, although "No" is the dialog's first button.
  dialog.querySelector('.reason input').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return
    event.preventDefault()
    dialog.close('yes')
  })
  document.addEventListener('submit', async (event) => {
    const form = event.target
    if (!form.dataset?.confirm || form.dataset.confirmed) return
    event.preventDefault()
    event.stopImmediatePropagation()
    if (!(await ask(form))) return
    form.dataset.confirmed = 'yes'
    form.requestSubmit()
    delete form.dataset.confirmed
  }, true)

  // A failed act says so; notices leave by themselves.
  const notices = document.getElementById('notices')
  document.addEventListener('htmx:response:error', async (event) => {
    const response = event.detail?.ctx?.response
    const notice = document.createElement('p')
    notice.className = 'notice bad'
    notice.textContent = `${response?.status ?? ''} ${response?.raw?.statusText ?? ''}`.trim() || '—'
    notices.append(notice)
  })
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) setTimeout(() => node.remove?.(), 6000)
    }
  }).observe(notices, { childList: true })

  for (const select of document.querySelectorAll('.filters select')) {
    select.addEventListener('change', () => select.form.requestSubmit())
  }
})()
