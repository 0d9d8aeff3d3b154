-- Time passes for the rate limits: their buckets have filled for so much longer. $1 by how much.
UPDATE engine.rate_buckets SET refilled_at = refilled_at - $1::interval
