-- PostgreSQL's clock, at the transaction's start. Returns the moment.
SELECT now()
