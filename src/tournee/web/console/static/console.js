// What every page needs beyond htmx: the reader's time zone, filters that apply at once, a fresh page on the way back.
(() => {
  'use strict'

  // The server writes times in the reader's own zone; it learns the zone once.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
  if (document.documentElement.dataset.zone !== zone && !sessionStorage.getItem('zone-told')) {
    sessionStorage.setItem('zone-told', zone)
    document.cookie = `tournee_zone=${zone}; path=/; max-age=31536000; samesite=strict`
    location.reload()
  }

  // On a narrow screen the menu scrolls sideways: it begins with where one is.
  document.querySelector('.menu [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' })

  for (const select of document.querySelectorAll('.filters select')) {
    select.addEventListener('change', () => select.form.requestSubmit())
  }

  // A page that the browser kept shows what was, and its stream has ended.
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload()
  })
})()
