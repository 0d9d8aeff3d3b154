"""Simulators of what Tournée talks to, over loopback, with seeded faults.

They exist so that the whole system can be run, shown and tested without a cloud account, with the real clients going
over real sockets. The sandbox shares no code with `tournee`: what both sides misread would otherwise look right. It
binds 127.0.0.1 only, on ports below 32768, so that no outgoing connection of the machine can take one.
"""
