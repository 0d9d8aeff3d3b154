"""The table of conditions: complete in both languages, bounded rules, and a disk that fills."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.alerts import MovedClock, make_bench
from tournee.alerts import CONDITIONS, Ends
from tournee.alerts.detectors import DiskDetector
from tournee.alerts.fingerprints import generalise_path
from tournee.alerts.incidents import Fault
from tournee.alerts.mails import write_text
from tournee.alerts.ports import Phase
from tournee.alerts.probes import DiskProbe
from tournee.alerts.rules import Hysteresis, back_off_seconds
from tournee.alerts.wording import LANGUAGES
from tournee.integrations.discord.embeds import escape_markup
from tournee.kit.logs.redaction import redact_name


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_condition_has_its_words_in_every_language(language: str) -> None:
    words = LANGUAGES[language].words
    assert set(words) == set(CONDITIONS)
    for name, condition in CONDITIONS.items():
        assert words[name].meaning
        assert words[name].remedy
        if condition.ends is Ends.STATED:
            assert words[name].ended, f"{name} tells its end"


def test_what_explains_others_is_itself_a_condition() -> None:
    for condition in CONDITIONS.values():
        assert set(condition.explained_by) <= set(CONDITIONS)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("name", sorted(CONDITIONS))
async def test_every_condition_is_told_in_every_language_without_a_gap(name: str, language: str) -> None:
    bench = make_bench(language=language, console_url="http://127.0.0.1:8420/")
    bench.alerts.monitor.report(Fault(CONDITIONS[name], "key", "subject", {"error": "KeyError"}, job_id=7))
    await bench.step(1.0)
    [message] = bench.discord.told
    assert message.phase is Phase.OPENED
    assert "{" not in message.title
    assert message.link == "http://127.0.0.1:8420/jobs/7"
    mail = write_text([message], language)
    for part in (message.title, message.meaning, message.remedy, "KeyError", message.link, "api"):
        assert part in mail


async def test_large_numbers_are_written_as_each_language_writes_them() -> None:
    for language, written in (("en", "12,345 times"), ("fr", "12\u202f345 fois")):
        bench = make_bench(language=language)
        bench.fail_requests(12_345, path="/things")
        await bench.step(1.0)
        assert bench.discord.told[0].text == written


class Disk(DiskProbe):
    """A disk whose room a test decides."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))
        self.free = 50.0

    async def read_free_percent(self) -> float:
        if self.free < 0:
            raise OSError("gone")
        return self.free


async def test_a_disk_that_fills_is_told_and_that_it_has_room_again() -> None:
    bench, disk = make_bench(), Disk()
    detector = DiskDetector("home", disk, 10.0, MovedClock())
    for free in (50.0, 10.5, 9.5, 9.0, 11.0, -1.0):
        disk.free = free
        await detector.look(bench.alerts.monitor)
        await bench.step(1.0)
    assert bench.discord.said == bench.mail.said == ["disk-nearly-full opened"]
    assert dict(bench.discord.told[0].fields)["Free"] == "9 %"
    disk.free = 12.5
    await detector.look(bench.alerts.monitor)
    await bench.step(61.0)
    assert bench.discord.said == ["disk-nearly-full opened", "disk-nearly-full ended"]


async def test_a_real_disk_can_be_asked(tmp_path: Path) -> None:
    assert 0 <= await DiskProbe(tmp_path / "not" / "yet").read_free_percent() <= 100


def test_one_slow_answer_is_not_down_and_one_good_one_is_not_back() -> None:
    rule = Hysteresis(fails=2, passes=2)
    looks = [(True, 0.0), (False, 1.0), (True, 2.0), (False, 3.0), (False, 4.0), (True, 5.0), (False, 6.0)]
    assert [rule.observe(good, at) for good, at in looks] == [False, False, False, False, True, False, False]
    assert (rule.down, rule.since) == (True, 3.0)
    assert [rule.observe(True, 7.0), rule.observe(True, 8.0)] == [False, True]
    assert (rule.down, rule.since) == (False, 7.0)


def test_a_channel_that_fails_is_left_alone_for_longer_each_time() -> None:
    assert [back_off_seconds(failures) for failures in (1, 2, 3, 7, 100)] == [5, 10, 20, 300, 300]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/users/4711", "/users/{…}"),
        ("/a/b?token=x", "/a/b"),
        ("/reset/abcdefghijklmnopqrstuvwxyz", "/reset/{…}"),
        ("/mail/me@example.org", "/mail/{…}"),
        ("", "/"),
    ],
)
def test_a_path_is_shown_without_what_differs_from_request_to_request(path: str, shown: str) -> None:
    assert generalise_path(path) == shown


@pytest.mark.parametrize(
    "text",
    ["processMails", "asyncpg.InvalidPasswordError", "GET /users/{user_id}/newsletters/{newsletter_id}", "12 × x 503"],
)
def test_names_pass_as_they_are(text: str) -> None:
    assert redact_name(text) == text


def test_markup_of_a_chat_has_no_effect() -> None:
    assert escape_markup("read_item __x__ _y_") == "read_item \\_\\_x\\_\\_ \\_y\\_"
    assert escape_markup("@everyone <@1> `rm` **b** [x](y)") == "＠everyone ‹＠1› 'rm' \\*\\*b\\*\\* \\[x\\](y)"
