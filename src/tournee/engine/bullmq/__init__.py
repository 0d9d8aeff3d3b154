"""The dispatcher: the `Broker` port kept on BullMQ's own key layout and Lua scripts, so that every BullMQ tool can
read and act on our queues.

BullMQ's words (wait, active, marker, stalled, lifo) live in this package only. It refuses to know the ledger:
nothing here decides whether a job may run, only where its id lies in Redis.
"""
