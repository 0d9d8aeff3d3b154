"""What the server says of itself, and whether it can serve as a dispatcher.

Owns the requirements (version, eviction policy, no cluster, a primary) and says for each what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tournee.engine.ports import BrokerMisconfigured

_MIN_REDIS = (6, 2)
_MIN_VALKEY = (7, 2)


def parse_info(reply: bytes) -> dict[str, str]:
    """The fields of INFO."""
    lines = reply.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def verify_server(info: Mapping[str, str]) -> None:
    """Raise `BrokerMisconfigured`, saying what to do, for a server that can't keep the broker's promises."""
    _verify_version(info)
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        raise BrokerMisconfigured(
            f"Redis may evict jobs: its maxmemory-policy is {policy}. Set it to noeviction"
            " (CONFIG SET maxmemory-policy noeviction, and in its configuration file)."
        )
    if info.get("cluster_enabled") == "1":
        raise BrokerMisconfigured("This is a Redis Cluster, which is not supported. Use a single primary.")
    if info.get("role", "master") != "master":
        raise BrokerMisconfigured("The Redis URL names a replica, which can't be written. Name the primary.")


def _verify_version(info: Mapping[str, str]) -> None:
    valkey = info.get("valkey_version")
    name, least = ("Valkey", _MIN_VALKEY) if valkey else ("Redis", _MIN_REDIS)
    version = valkey or info.get("redis_version", "of unknown version")
    if _parse_version(version) < least:
        wanted = ".".join(str(part) for part in least)
        raise BrokerMisconfigured(f"{name} {version} is too old. Install {wanted} or later.")


def _parse_version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
