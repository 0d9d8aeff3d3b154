"""The console: HTML for the operator, live through server-sent events, in English and French."""
