"""PostgreSQL and Valkey from their wheels, started and stopped by us, for a stack that needs nothing installed.

Both listen on 127.0.0.1 only, with random passwords, keep their data under the home, run as `nobody` where we are
root, and end with the process that started them, even when that one is SIGKILLed (on Linux).
"""

from tournee.embedded.errors import HomeInUse, HomeNotAccessible, ServerStartFailed
from tournee.embedded.postgresql import PostgresqlServer
from tournee.embedded.server import Server
from tournee.embedded.servers import Addresses, EmbeddedServers, ServersConfig
from tournee.embedded.valkey import ValkeyServer

__all__ = [
    "Addresses",
    "EmbeddedServers",
    "HomeInUse",
    "HomeNotAccessible",
    "PostgresqlServer",
    "Server",
    "ServerStartFailed",
    "ServersConfig",
    "ValkeyServer",
]
