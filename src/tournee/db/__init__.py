"""PostgreSQL: the pool, transactions, SQL texts by name, migrations. It knows nothing of jobs or mail."""
