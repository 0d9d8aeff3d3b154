"""No pattern of ours takes more than linear time, whatever it is given."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

from tournee.pipeline.core import detection, mail

LENGTH = 20_000
FAR_BELOW_QUADRATIC_SECONDS = 5.0
"""Of processor time. A quadratic pattern takes 400 million steps at this length, which is a minute; a linear one takes
milliseconds. Nothing between is judged."""
ADVERSARIES = (
    *'a \n1.-=@<(["#>Aé',
    *("a ", "a@", "a.", "a-", "0,", "*/", "/*", "\n#", "\n ", "\n- ", "http://", "=?", "=?a?q?", "<div ", "charset="),
    *("confirm your ", "view this email ", "you are ", "issue ", "bestätig a ", "nous ", "newsletters", "to "),
    *("bounce-", "font-size:", "display : ", "[a] ", "From ", "1 jan ", "fill out the "),
)


def list_patterns() -> Iterator[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    packages = (mail, detection)
    modules = [module.name for one in packages for module in pkgutil.iter_modules(one.__path__, f"{one.__name__}.")]
    for module in modules:
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(value, re.Pattern):
                yield f"{module.rpartition('.')[2]}.{name}", value


def _name_case(value: object) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("name", "pattern"), list(list_patterns()), ids=_name_case)
def test_pattern_is_linear(name: str, pattern: re.Pattern[str] | re.Pattern[bytes]) -> None:
    for adversary in ADVERSARIES:
        text = adversary * (LENGTH // len(adversary)) + "!"
        started = time.process_time()
        if isinstance(pattern.pattern, bytes):
            sum(1 for _ in pattern.finditer(text.encode()))
        else:
            sum(1 for _ in pattern.finditer(text))
        assert time.process_time() - started < FAR_BELOW_QUADRATIC_SECONDS, f"{name} on {adversary!r}"
