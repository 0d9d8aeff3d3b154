"""Which servers are accepted, and what is said of those that are not."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from redis import exceptions

from tests.support.broker import QUEUE, Client, MakeBroker, make_job, wait_until
from tournee.engine.bullmq.broker import BullmqBroker
from tournee.engine.bullmq.faults import explain_fault
from tournee.engine.bullmq.server import verify_server
from tournee.engine.bullmq.settings import BrokerSettings
from tournee.engine.ports import BrokerMisconfigured, BrokerUnavailable

SOUND = {"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "cluster_enabled": "0", "role": "master"}


async def test_a_sound_server_is_accepted(broker: BullmqBroker) -> None:
    await broker.check()


async def test_a_server_that_may_evict_is_refused(broker: BullmqBroker, server: Client) -> None:
    await server.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(BrokerMisconfigured, match=r"allkeys-lru.*noeviction"):
            await broker.check()
    finally:
        await server.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"redis_version": "6.0.16"}, r"Redis 6\.0\.16 is too old\. Install 6\.2"),
        ({"redis_version": "5.0.14"}, "too old"),
        ({"redis_version": "unheard of"}, "too old"),
        ({"redis_version": "7.2.4", "valkey_version": "7.1.9"}, r"Valkey 7\.1\.9 is too old\. Install 7\.2"),
        ({"maxmemory_policy": "volatile-lru"}, "may evict jobs"),
        ({"cluster_enabled": "1"}, "Cluster"),
        ({"role": "slave"}, "replica"),
    ],
)
def test_an_unfit_server_is_refused_with_what_to_do(facts: dict[str, str], words: str) -> None:
    with pytest.raises(BrokerMisconfigured, match=words):
        verify_server({**SOUND, **facts})


@pytest.mark.parametrize(
    "facts",
    [{"redis_version": "6.2.0"}, {"redis_version": "8.0"}, {"redis_version": "7.2.4", "valkey_version": "9.1.0"}],
)
def test_the_promised_versions_are_accepted(facts: dict[str, str]) -> None:
    verify_server({**SOUND, **facts})


async def test_a_wrong_password_is_a_fault_of_the_set_up_and_is_never_shown(
    make_broker: MakeBroker, redis_url: str
) -> None:
    port = urlsplit(redis_url).port
    broker = make_broker(url=f"redis://:not-the-secret@127.0.0.1:{port}/0")

    with pytest.raises(BrokerMisconfigured, match=r"password.*Correct") as refused:
        await broker.check()
    with pytest.raises(BrokerUnavailable, match="password") as failed:
        await broker.add(QUEUE, [make_job(1)])

    for error in (refused.value, failed.value):
        assert "not-the-secret" not in str(error)
    assert "not-the-secret" not in repr(broker._settings)


async def test_no_password_where_one_is_needed_is_refused_too(make_broker: MakeBroker, redis_url: str) -> None:
    broker = make_broker(url=f"redis://127.0.0.1:{urlsplit(redis_url).port}/0")

    with pytest.raises(BrokerMisconfigured, match="password"):
        await broker.check()


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "", "redis://:pa/ss-word@127.0.0.1:6379/0"])
def test_a_url_that_is_none_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(BrokerMisconfigured) as refused:
        BullmqBroker(BrokerSettings(url))

    assert "ss-word" not in str(refused.value)
    assert "pa" not in str(refused.value).split("must look")[0]


async def test_nobody_listening_is_unavailable_and_not_a_fault_of_the_set_up(make_broker: MakeBroker) -> None:
    broker = make_broker(url="redis://127.0.0.1:1/0")

    with pytest.raises(BrokerUnavailable, match="not reachable"):
        await broker.check()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "can't save to disk"),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "loading its data set"),
        (exceptions.ResponseError("BUSY Redis is busy running a script"), "busy with a long script"),
        (exceptions.ResponseError("ERR in script: -OOM command not allowed"), "out of memory"),
        (exceptions.ConnectionError("max number of clients reached"), "max number of clients"),
        (exceptions.NoPermissionError("this user has no permissions"), "lacks a permission"),
        (TimeoutError(), "did not answer in time"),
    ],
)
def test_a_fault_is_explained_in_one_line(error: Exception, words: str) -> None:
    assert words in explain_fault(error)
    assert "\n" not in explain_fault(error)


async def test_a_urls_options_bring_no_retries_and_no_time_outs_back(
    make_broker: MakeBroker, redis_url: str, server: Client
) -> None:
    options = "retry_on_timeout=true&socket_timeout=0.001&health_check_interval=1&decode_responses=true&protocol=3"
    broker = make_broker(url=f"{redis_url}?{options}")

    await broker.add(QUEUE, [make_job(1)])

    assert (await broker.read_depth(QUEUE)).waiting == 1
    settings = broker._pipelines._pool.connection_kwargs
    assert settings["retry"].get_retries() == 0
    assert settings["retry_on_error"] == []
    assert settings["socket_keepalive"] is True


async def test_a_worker_is_known_to_the_server_by_the_name_that_node_counts(
    make_broker: MakeBroker, server: Client
) -> None:
    broker = make_broker(worker_name="host 1/é (42)")

    await broker.wait_for_jobs(QUEUE, 0.01)

    async def is_listed() -> bool:
        names = [client["name"] for client in await server.client_list()]
        return names.count("bull:cHJvY2Vzc01haWxz:w:host-1/--(42)") == 1

    await wait_until(is_listed)
