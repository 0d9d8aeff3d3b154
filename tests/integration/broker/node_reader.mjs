// Reads a queue with Node's own BullMQ and prints what it saw as one line of JSON. Run by a test, in the board's folder.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [boardFolder, redisUrl, queueName] = process.argv.slice(2)
const require = createRequire(pathToFileURL(`${boardFolder}/package.json`))
const { Queue } = require('bullmq')
const { Redis } = require('ioredis')

const connection = new Redis(redisUrl, { maxRetriesPerRequest: null })
const queue = new Queue(queueName, { connection, skipMetasUpdate: true })
const letters = new Queue('deadLetters', { connection, skipMetasUpdate: true })

function show(job) {
  const { id, name, data, opts, timestamp, attemptsMade, stacktrace, failedReason, returnvalue, progress } = job
  return { id, name, data, opts, timestamp, attemptsMade, stacktrace, failedReason, returnvalue, progress, by: job.processedBy }
}

async function list(from, state) {
  return (await from.getJobs([state])).map(show)
}

const seen = {
  counts: await queue.getJobCounts('waiting', 'active', 'completed', 'failed', 'delayed', 'prioritized', 'paused'),
  waiting: await list(queue, 'waiting'),
  active: await list(queue, 'active'),
  completed: await list(queue, 'completed'),
  failed: (await queue.getFailed()).map(show),
  logs: (await queue.getJobLogs((await queue.getActive())[0].id)).logs,
  workers: (await queue.getWorkers()).map((worker) => worker.rawname),
  workersCount: await queue.getWorkersCount(),
  version: await queue.getVersion(),
  metrics: (await queue.getMetrics('completed')).meta.count,
  deadLetters: await list(letters, 'waiting'),
  states: await Promise.all(['j1-1', 'j2-1', 'j3-1', 'j4-3'].map((id) => queue.getJobState(id))),
}
process.stdout.write(`${JSON.stringify(seen)}\n`)
await queue.close()
await letters.close()
connection.disconnect()
