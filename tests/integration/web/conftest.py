"""Fixtures of the web tests; those of the browser are the same."""

from tests.support.web_fixtures import browser, pipeline, program, web, worked

__all__ = ["browser", "pipeline", "program", "web", "worked"]
