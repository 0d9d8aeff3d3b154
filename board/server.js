/**
 * Bull Board, started and ended by its parent.
 *
 * Owns one thing: showing what BullMQ holds in Redis. It listens on 127.0.0.1, answers only to a caller that
 * knows the secret (the console's proxy), and is read-only: every method but GET and HEAD is refused here, and
 * the queues are opened in read-only mode too. It never writes to Redis, not even the queues' own metadata.
 *
 * It ends when its standard input closes, so it can't outlive its parent. While Redis is away its pages show
 * the fault, and it reconnects by itself.
 */
import { timingSafeEqual } from 'node:crypto'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { HonoAdapter } from '@bull-board/hono'
import { serve } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { Queue } from 'bullmq'
import { Hono } from 'hono'
import { Redis } from 'ioredis'

// The adapter serves its files relative to the working directory.
process.chdir(dirname(fileURLToPath(import.meta.url)))

const BASE_PATH = '/board'

function requireSetting(name) {
  const value = process.env[name]
  if (!value) {
    console.error(`${name} is not set`)
    process.exit(2)
  }
  return value
}

const redisUrl = requireSetting('TOURNEE_REDIS_URL')
const secret = Buffer.from(requireSetting('TOURNEE_BOARD_SECRET'))
const queueNames = requireSetting('TOURNEE_BOARD_QUEUES').split(',').map((name) => name.trim()).filter(Boolean)
const prefix = process.env.TOURNEE_BULLMQ_PREFIX || 'bull'
const port = Number(process.env.TOURNEE_BOARD_PORT || 0)

const connection = new Redis(redisUrl, {
  maxRetriesPerRequest: 1,
  commandTimeout: 5000,
  connectTimeout: 3000,
  retryStrategy: (attempt) => Math.min(attempt * 200, 2000),
})

// One line per outage, not one per attempt to reconnect.
let reachable = true
connection.on('error', (error) => {
  if (reachable) console.error(`redis: ${error.message || error.code}`)
  reachable = false
})
connection.on('ready', () => {
  if (!reachable) console.error('redis: back')
  reachable = true
})

const queues = queueNames.map((name) => {
  const queue = new Queue(name, { connection, prefix, skipMetasUpdate: true, skipWaitingForReady: true })
  queue.on('error', () => {}) // told once by the connection above
  return queue
})

const adapter = new HonoAdapter(serveStatic)
adapter.setBasePath(BASE_PATH)
createBullBoard({
  queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })),
  serverAdapter: adapter,
  options: {
    uiConfig: {
      boardTitle: 'Tournée',
      boardLogo: { path: '', width: 0, height: 0 },
      miscLinks: [{ text: 'Console', url: '/' }],
      hideRedisDetails: true,
      pollingInterval: { showSetting: true },
    },
  },
})

function isAuthentic(given) {
  const offered = Buffer.from(given ?? '')
  return offered.length === secret.length && timingSafeEqual(offered, secret)
}

const app = new Hono()
app.get('/healthz', (context) => context.text('ok'))
app.use('*', async (context, next) => {
  if (!isAuthentic(context.req.header('x-tournee-board-secret'))) {
    return context.text('This board is reached through the console.', 403)
  }
  if (context.req.method !== 'GET' && context.req.method !== 'HEAD') {
    return context.json({ error: 'The board is read-only: act through the console.' }, 405)
  }
  await next()
})
// Its page asks an outside host for fonts; nothing of ours leaves the machine.
app.use(`${BASE_PATH}/*`, async (context, next) => {
  await next()
  if (!context.res.headers.get('content-type')?.startsWith('text/html')) return
  const page = await context.res.text()
  context.res = new Response(page.replace(/<link[^>]+href="https?:[^>]*>/g, ''), context.res)
})
app.route(BASE_PATH, adapter.registerPlugin())
app.onError((error, context) => context.json({ error: error.message || 'The board failed.' }, 503))

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, (address) => {
  console.log(JSON.stringify({ ready: true, port: address.port }))
})
server.on('error', (error) => {
  console.error(`listen: ${error.message}`)
  process.exit(1)
})

process.on('unhandledRejection', (error) => console.error(`unhandled: ${error?.message ?? error}`))

let ending = false
function end() {
  if (ending) return
  ending = true
  server.close()
  connection.disconnect()
  setTimeout(() => process.exit(0), 200)
}
process.on('SIGTERM', end)
process.on('SIGINT', () => {}) // Ctrl-C reaches the whole group; the parent decides when we end
process.stdin.on('end', end)
process.stdin.on('error', end)
process.stdin.resume()
