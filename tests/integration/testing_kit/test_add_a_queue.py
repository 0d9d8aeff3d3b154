"""The application of docs/how-to/add-a-queue.md, run as it stands there, on the test's servers instead of its own."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "add-a-queue.md"


@pytest.mark.timeout(120)
async def test_the_page_s_application_prints_what_the_page_says(
    database_url: str, redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    said = re.search(r"prints `(.*?)`", page)
    assert code is not None
    assert said is not None
    script = tmp_path / "count_words.py"
    script.write_text(code[1], encoding="utf-8")
    await runpy.run_path(str(script))["run"](database_url, redis_url)
    assert said[1] in capsys.readouterr().out.splitlines()
