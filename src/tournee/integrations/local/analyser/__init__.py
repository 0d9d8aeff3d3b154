"""The embedded analyser: what a mail says, found in the mail itself, with no network and no model to load."""

from tournee.integrations.local.analyser.analysis import analyse_text
from tournee.integrations.local.analyser.embedded import EmbeddedAnalyser

__all__ = ["EmbeddedAnalyser", "analyse_text"]
