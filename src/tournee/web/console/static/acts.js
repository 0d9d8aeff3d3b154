// What an operator does: asks first where a form says so, sends it once, and says what became of it.
//
// A live page replaces its forms while they are asked about and while the answer is under way. So what goes out is never
// the form itself but a copy, taken at the click, in a place that no update touches.
(() => {
  'use strict'

  // --- notices: a good one leaves by itself; what went wrong stays until it was read.
  const notices = document.getElementById('notices')
  const words = notices.dataset
  const settle = (notice) => {
    if (!notice.matches?.('.notice')) return
    if (notice.matches('.good')) {
      setTimeout(() => notice.remove(), 6000)
      return
    }
    if (notice.matches('.live')) return
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'close'
    button.setAttribute('aria-label', words.close)
    button.textContent = '×'
    button.addEventListener('click', () => notice.remove())
    notice.append(button)
  }
  new MutationObserver((changes) => {
    for (const change of changes) change.addedNodes.forEach(settle)
  }).observe(notices, { childList: true })
  const say = (text, tone) => {
    const notice = document.createElement('p')
    notice.className = `notice ${tone}`
    notice.textContent = text
    notices.append(notice)
    return notice
  }
  document.addEventListener('tournee:notice', (event) => say(event.detail.text, event.detail.tone))

  // --- the dialog: with data-asks-reason the answer carries a reason.
  const dialog = document.getElementById('confirm')
  const reason = dialog.querySelector('.reason')
  const ask = ({ confirm, asksReason, good }) => new Promise((resolve) => {
    dialog.querySelector('#confirm-text').textContent = confirm
    reason.hidden = asksReason === undefined
    reason.querySelector('input').value = ''
    dialog.querySelector('#confirm-yes').classList.toggle('danger', good === undefined)
    dialog.returnValue = 'no'
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'yes' ? { reason: reason.querySelector('input').value } : null)
    }, { once: true })
    dialog.showModal()
  })
  // Enter in the reason field means yes, although "No" is the dialog's first button.
  reason.querySelector('input').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return
    event.preventDefault()
    dialog.close('yes')
  })

  // --- acts
  const place = document.getElementById('acts')
  const underWay = new Map()
  const copy = (form) => {
    const act = document.createElement('form')
    act.method = 'post'
    act.setAttribute('action', form.getAttribute('action'))
    act.setAttribute('hx-post', form.getAttribute('action'))
    act.setAttribute('hx-target', '#notices')
    act.setAttribute('hx-swap', 'none')
    for (const [name, value] of new FormData(form)) {
      const field = document.createElement('input')
      field.type = 'hidden'
      field.name = name
      field.value = value
      act.append(field)
    }
    act.dataset.same = [act.getAttribute('action'), ...new FormData(act).getAll('job_id')].join(' ')
    return act
  }
  const send = (act) => {
    const { same } = act.dataset
    if (underWay.has(same)) return
    const slow = { notice: null }
    slow.timer = setTimeout(() => { slow.notice = say(words.sending, 'live') }, 700)
    underWay.set(same, slow)
    place.append(act)
    htmx.process(act)
    act.requestSubmit()
  }
  const actOf = (event) => {
    const act = event.detail?.ctx?.sourceElement
    return act && act.parentElement === place ? act : null
  }
  document.addEventListener('htmx:finally:request', (event) => {
    const act = actOf(event)
    if (!act) return
    const slow = underWay.get(act.dataset.same)
    clearTimeout(slow?.timer)
    slow?.notice?.remove()
    underWay.delete(act.dataset.same)
    act.remove()
  })
  document.addEventListener('submit', async (event) => {
    const form = event.target
    if (form.method !== 'post' || form.parentElement === place) return
    event.preventDefault()
    event.stopImmediatePropagation()
    const act = copy(form)
    if (form.dataset.confirm) {
      const answer = await ask({ ...form.dataset })
      if (!answer) return
      const field = act.querySelector('input[name=reason]')
      if (field) field.value = answer.reason
    }
    send(act)
  }, true)
  // The second click of a double click is meant for what was there at the first.
  document.addEventListener('click', (event) => {
    if (event.detail > 1 && event.target.closest?.('form[method=post] button')) event.preventDefault()
  }, true)

  // Without an answer nobody knows whether it was done; a refusal brings its own words.
  document.addEventListener('htmx:error', (event) => {
    if (actOf(event)) say(words.unknown, 'bad')
  })
  document.addEventListener('htmx:response:error', (event) => {
    if (!actOf(event)) return
    const { text = '', response } = event.detail.ctx
    if (!text.includes('<hx-partial')) say(`${words.refused} (${response.status})`, 'bad')
  })
})()
