"""The handlers of the four queues, one a file."""
