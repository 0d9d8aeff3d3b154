-- Which job brought a message, so that its trace need not guess. No foreign key: the ledger forgets jobs long before the
-- pipeline forgets mail. Messages that were stored earlier have none.
ALTER TABLE news.messages ADD COLUMN fetch_job_id bigint;
