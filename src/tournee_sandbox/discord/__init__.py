"""Discord's webhooks: executes them by Discord's rules, keeps what came, and misbehaves on request."""
