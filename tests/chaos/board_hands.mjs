// What a person can do in Bull Board, done to all work queues at once and behind the engine's back. Prints what it did.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [boardFolder, redisUrl] = process.argv.slice(2)
const require = createRequire(pathToFileURL(`${boardFolder}/package.json`))
const { Queue } = require('bullmq')
const { Redis } = require('ioredis')

const connection = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => null })
connection.on('error', () => process.exit(1))
const did = {}

async function count(what, act) {
  try {
    did[what] = (did[what] ?? 0) + ((await act()) ?? 1)
  } catch {
    did.refused = (did.refused ?? 0) + 1
  }
}

for (const name of ['work', 'free', 'bulk', 'mail', 'follow']) {
  const queue = new Queue(name, { connection, skipMetasUpdate: true })
  for (const job of (await queue.getJobs(['wait'], 0, 15)).filter(Boolean)) await count('removed', () => job.remove().then(() => 1))
  for (const job of (await queue.getJobs(['completed'], 0, 10)).filter(Boolean)) await count('retried', () => job.retry('completed').then(() => 1))
  for (const job of (await queue.getJobs(['failed'], 0, 10)).filter(Boolean)) await count('retried', () => job.retry('failed').then(() => 1))
  await count('cleaned', async () => (await queue.clean(0, 50, 'completed')).length)
  await count('cleaned', async () => (await queue.clean(0, 50, 'failed')).length)
  await count('cleaned', async () => (await queue.clean(0, 10, 'wait')).length)
  await count('added', () => queue.add('stranger', {}, { jobId: 'j999999999999-1' }).then(() => 1))
  await count('added', () => queue.add('stranger', {}).then(() => 1))
  if (name === 'bulk') await count('drained', () => queue.drain().then(() => 1))
  await queue.close()
}
const letters = new Queue('deadLetters', { connection, skipMetasUpdate: true })
for (const job of (await letters.getJobs(['wait'], 0, 5)).filter(Boolean)) await count('letters', () => job.remove().then(() => 1))
await letters.close()
process.stdout.write(JSON.stringify(did))
connection.disconnect()
