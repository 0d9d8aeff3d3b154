"""An SMTP server that keeps every mail it took responsibility for, and misbehaves on request."""
