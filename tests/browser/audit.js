// Reads the page as a person with poor sight or without a mouse would: contrast, names, labels, headings, overflow.
() => {
  const faults = []
  const parse = (colour) => {
    const parts = colour.match(/[\d.]+/g).map(Number)
    return { r: parts[0], g: parts[1], b: parts[2], a: parts[3] ?? 1 }
  }
  const over = (top, bottom) => ({
    r: top.r * top.a + bottom.r * (1 - top.a),
    g: top.g * top.a + bottom.g * (1 - top.a),
    b: top.b * top.a + bottom.b * (1 - top.a),
    a: 1,
  })
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((value) => {
      const part = value / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const backdrop = (element) => {
    const layers = []
    for (let node = element; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor)
      if (colour.a > 0) layers.unshift(colour)
      if (colour.a === 1) break
    }
    return layers.reduce((under, layer) => over(layer, under), { r: 255, g: 255, b: 255, a: 1 })
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  let texts = 0
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement
    if (!walker.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true })) continue
    if (element.closest('.hidden, script, dialog:not([open]), option')) continue
    const style = getComputedStyle(element)
    const back = backdrop(element)
    const front = over(parse(style.color), back)
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a)
    const ratio = (light + 0.05) / (dark + 0.05)
    const size = parseFloat(style.fontSize)
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
    texts += 1
    if (ratio < (large ? 3 : 4.5)) faults.push(`contrast ${ratio.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`)
  }
  if (texts < 10) faults.push(`only ${texts} texts were looked at`)
  for (const control of document.querySelectorAll('input:not([type=hidden]), select')) {
    if (!control.labels?.length) faults.push(`no label: ${control.name}`)
  }
  for (const control of document.querySelectorAll('button, a')) {
    if (!control.textContent.trim()) faults.push(`no name: ${control.outerHTML.slice(0, 80)}`)
  }
  for (const frame of document.querySelectorAll('iframe')) if (!frame.title) faults.push('a frame has no title')
  if (document.querySelectorAll('h1').length !== 1) faults.push('not exactly one h1')
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id)
  const twice = ids.filter((id, place) => ids.indexOf(id) !== place)
  if (twice.length) faults.push(`ids used twice: ${twice}`)
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth
  if (wide > 0) faults.push(`the page is ${wide} px wider than the window`)
  return faults
}
