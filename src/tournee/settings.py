"""Settings: read once from the environment at the edge, frozen, typed.

Owns the names of all `TOURNEE_…` variables, their defaults and what each allows. Keeps: nothing below this module
reads the environment, and no secret is ever printed. Refuses a bad value with one line that names the variable, what
was given and what is allowed; several bad values are told together.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tournee.kit.errors import SetupError

PREFIX = "TOURNEE_"

QUEUES = ("fetchEmails", "processMails", "indexNews", "sendNotifications")
"""The work queues whose numbers can be set one by one."""

DEFAULT_CONCURRENCY = {"fetchEmails": 4, "processMails": 8, "indexNews": 50, "sendNotifications": 8}
DEFAULT_MAX_ATTEMPTS = dict.fromkeys(QUEUES, 3)

OUTSIDE_SETTINGS = ("CORPUS", "SPECS", "CHROMIUM", "TOLD")
"""Variables of the same prefix that the tests, the set-up and the command line read, and that are no settings."""


SetupIncomplete = SetupError
"""Something that the program needs is missing or wrong on this machine. The message says what to do about it."""


class SettingsError(SetupIncomplete):
    """One or several variables hold what is not allowed; one line for each."""


def _pick_home() -> Path:
    """The servers run as `nobody` under root, and must be able to enter the home."""
    if os.geteuid() == 0:
        return Path("/var/lib/tournee")
    return Path.home() / ".local" / "share" / "tournee"


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _check_url(*schemes: str) -> AfterValidator:
    def check(secret: SecretStr) -> SecretStr:
        parts = urlsplit(secret.get_secret_value())
        # Reading the port raises ValueError for one that is no number, or too large.
        whole = parts.path.strip("/") if parts.scheme == "unix" else parts.hostname and parts.port != 0
        if parts.scheme.startswith("postgres") and parts.query.startswith("host=/"):
            whole = "a socket's folder"
        if parts.scheme not in schemes or not whole:
            raise ValueError("no such address")
        return secret

    return AfterValidator(check)


def _check_loopback(host: str) -> str:
    if not _is_loopback(host):
        raise ValueError("not a loopback address")
    return host


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def _split_list(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _split_pairs(value: Any, info: ValidationInfo) -> Any:
    """Read `fetchEmails=2,processMails=16`; queues that are not named keep their default."""
    if isinstance(value, str):
        value = dict(part.split("=", maxsplit=1) for part in value.split(",") if part.strip())
        value = {queue.strip(): int(number) for queue, number in value.items()}
    if unknown := set(value) - set(QUEUES):
        raise ValueError(f"unknown queue {min(unknown)}")
    return {**NUMBERS_BY_QUEUE[str(info.field_name)], **value}


NUMBERS_BY_QUEUE: Mapping[str, Mapping[str, int]] = {
    "concurrency": DEFAULT_CONCURRENCY,
    "max_attempts": DEFAULT_MAX_ATTEMPTS,
}

PerQueue = Annotated[Mapping[str, Annotated[int, Field(ge=1, le=1000)]], NoDecode, BeforeValidator(_split_pairs)]
Folder = Annotated[Path, AfterValidator(_absolute)]
Address = Annotated[str, Field(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]

A_PORT = "a port from 1 to 65535"
PAIRS = f"pairs like fetchEmails=4,processMails=8 with numbers from 1 to 1000; queues: {', '.join(QUEUES)}"


class Settings(BaseSettings):
    """All settings of one process. Each field's description says what its variable allows."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    home: Folder = Field(default_factory=_pick_home, description="a folder; it is made if it is missing")
    env: Literal["development", "production"] = Field("development", description="development or production")
    log_dir: Folder | None = Field(None, description="a folder for errors.log; default: logs in the home")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")
    log_file_mib: int = Field(16, ge=1, le=1024, description="mebibytes from 1 to 1024")
    log_files_kept: int = Field(5, ge=1, le=100, description="a number of files from 1 to 100")
    language: Literal["en", "fr"] = Field("en", description="en or fr")

    database_url: Annotated[SecretStr, _check_url("postgresql", "postgres")] | None = Field(
        None, description="postgresql://user:password@host:port/database; unset: the embedded server"
    )
    database_pooler: Literal["none", "pgbouncer"] = Field(
        "none", description="none or pgbouncer: what stands between here and PostgreSQL"
    )
    redis_url: Annotated[SecretStr, _check_url("redis", "rediss", "unix")] | None = Field(
        None, description="redis://, rediss:// or unix://; unset: the embedded server"
    )
    prefix: str = Field(
        "bull", pattern=r"^[A-Za-z0-9_.{}-]{1,64}$", description="at most 64 letters, digits, or any of _ . - { }"
    )

    web_host: Annotated[str, AfterValidator(_check_loopback)] = Field(
        "127.0.0.1", description="a loopback address, as long as there are no accounts"
    )
    web_port: Port = Field(8420, description=A_PORT)
    board_port: Port = Field(8421, description=A_PORT)

    metrics_port: Port | None = Field(None, description=f"{A_PORT}; unset: metrics at the API only")
    metrics_host: str = Field("127.0.0.1", pattern=r"^[0-9A-Za-z.:-]+$", description="an address of this machine")
    metrics_token: SecretStr | None = Field(
        None, min_length=16, description="at least 16 characters; unset: run/metrics.token in the home"
    )

    smtp_url: Annotated[SecretStr, _check_url("smtp", "smtps")] | None = Field(
        None, description="smtp://user:password@host:port or smtps://…; unset: mail goes to the outbox in the home"
    )
    mail_from: Address = Field("tournee@localhost.localdomain", description="an e-mail address")
    admin_emails: Annotated[tuple[Address, ...], NoDecode, BeforeValidator(_split_list)] = Field(
        (), description="e-mail addresses, separated by commas"
    )

    discord_webhook_url: Annotated[SecretStr, _check_url("https", "http")] | None = Field(
        None, description="https://discord.com/api/webhooks/id/token; unset: no alerts to Discord"
    )
    console_url: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="http:// or https://, where links of alerts lead"
    )
    alert_errors: int = Field(10, ge=1, le=10_000, description="a number of errors from 1 to 10000")
    alert_window_seconds: float = Field(300.0, ge=1, le=86400, description="seconds from 1 to 86400")
    alert_cooldown_seconds: float = Field(900.0, ge=1, le=86400, description="seconds from 1 to 86400")
    alert_quiet_start_seconds: float = Field(10.0, ge=0, le=600, description="seconds from 0 to 600")
    alert_client_statuses: Annotated[
        tuple[Annotated[int, Field(ge=400, le=499)], ...], NoDecode, BeforeValidator(_split_list)
    ] = Field((), description="statuses from 400 to 499, separated by commas")
    alert_rate_limits: int = Field(0, ge=0, le=10_000, description="a number of 429s from 1 to 10000; 0: not watched")
    alert_dead_letters: int = Field(100, ge=1, le=1_000_000, description="a number of dead letters from 1 to 1000000")
    alert_searchable_seconds: float = Field(300.0, ge=1, le=86400, description="seconds from 1 to 86400")
    alert_disk_free_percent: float = Field(10.0, ge=0.1, le=50, description="percent from 0.1 to 50")
    alert_stores: Literal["auto", "yes", "no"] = Field("auto", description="auto, yes or no")
    critical_queues: Annotated[tuple[Literal[QUEUES], ...], NoDecode, BeforeValidator(_split_list)] = Field(  # type: ignore[valid-type]
        ("fetchEmails", "processMails"), description=f"queues, separated by commas: {', '.join(QUEUES)}"
    )

    concurrency: PerQueue = Field(DEFAULT_CONCURRENCY, description=PAIRS)
    max_attempts: PerQueue = Field(DEFAULT_MAX_ATTEMPTS, description=PAIRS)
    heartbeat_seconds: float = Field(0.5, ge=0.05, le=60, description="seconds from 0.05 to 60")
    lease_seconds: float = Field(
        5.0, ge=0.5, le=600, description="seconds from 0.5 to 600, and at least four heartbeats"
    )
    grace_seconds: float = Field(10.0, ge=0, le=600, description="seconds from 0 to 600")

    analyser: Literal["embedded"] = Field("embedded", description="embedded")
    worker_processes: int = Field(2, ge=1, le=64, description="a number of processes from 1 to 64")
    reader_processes: int = Field(2, ge=1, le=64, description="a number of processes from 1 to 64")
    message_seconds: float = Field(20.0, ge=1, le=600, description="seconds from 1 to 600")
    message_memory_mib: int = Field(1024, ge=128, le=65536, description="mebibytes from 128 to 65536")
    message_size_mib: int = Field(50, ge=1, le=200, description="mebibytes from 1 to 200")

    raw_kept_days: int = Field(90, ge=0, le=36500, description="days from 0 to 36500")
    completed_kept_days: int = Field(30, ge=1, le=36500, description="days from 1 to 36500")

    sandbox_faults: str = Field(
        "", max_length=4096, description="a file with the Message-IDs whose analysis is to fail, for trying out"
    )

    @model_validator(mode="after")
    def _check_lease(self) -> Settings:
        if self.lease_seconds < 4 * self.heartbeat_seconds:
            raise ValueError(
                f"{PREFIX}LEASE_SECONDS: given {self.lease_seconds:g} with {PREFIX}HEARTBEAT_SECONDS "
                f"{self.heartbeat_seconds:g}; allowed: at least four heartbeats"
            )
        return self

    @model_validator(mode="after")
    def _check_metrics_host(self) -> Settings:
        if self.metrics_token is None and not _is_loopback(self.metrics_host):
            raise ValueError(
                f"{PREFIX}METRICS_HOST: given {self.metrics_host}; allowed: a loopback address, or any with "
                f"{PREFIX}METRICS_TOKEN set"
            )
        return self

    @property
    def logs(self) -> Path:
        """The folder of `errors.log`."""
        return self.log_dir or self.home / "logs"

    @property
    def production(self) -> bool:
        """Whether an error 500 alerts."""
        return self.env == "production"


def load_settings(**given: Any) -> Settings:
    """Read the environment once; what is `given` (by field name, from the command line) goes before it.

    Raises `SettingsError` with one line for each bad value.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_describe_errors(error, given))) from None


def _describe_errors(error: ValidationError, given: Mapping[str, Any]) -> list[str]:
    """One line for each bad field, in the order of the fields; a field with several faults is told once."""
    lines: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_context=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        if name not in Settings.model_fields:
            lines[name] = str(fault["msg"]).removeprefix("Value error, ")
            continue
        variable = PREFIX + name.upper()
        raw = given.get(name) if given.get(name) is not None else _read_variable(variable)
        lines[name] = f"{variable}: given {_show(name, raw)}; allowed: {Settings.model_fields[name].description}"
    return list(lines.values())


def _read_variable(variable: str) -> str:
    """The variable as it stands in the environment, whatever its case there."""
    return next((value for name, value in os.environ.items() if name.upper() == variable), "")


def _show(name: str, raw: Any) -> str:
    """What was given, without what must not be seen."""
    if name.endswith("_url"):
        scheme, separator, rest = str(raw).partition("://")
        return f"{scheme}://… ({len(rest)} hidden characters)" if separator else f"{len(scheme)} hidden characters"
    return repr(str(raw)[:80])


def find_unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """One line for each variable that bears our prefix and that nothing reads, with the name that was meant."""
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *OUTSIDE_SETTINGS)}
    lines = []
    for name in sorted(environment):
        if not name.upper().startswith(PREFIX) or name.upper() in known or name.startswith(f"{PREFIX}TEST_"):
            continue
        near = difflib.get_close_matches(name.upper(), known, n=1)
        lines.append(f"{name} is read by nothing" + (f"; was {near[0]} meant?" if near else ""))
    return lines
