"""Local imports: a folder of mails, an mbox or a Maildir through the whole pipeline."""

from tournee.pipeline.importing.progress import ImportProgress, Phase
from tournee.pipeline.importing.service import Importer, ImportOutcome, ImportRefused, ImportRequest
from tournee.pipeline.importing.walk import NotMail

__all__ = ["ImportOutcome", "ImportProgress", "ImportRefused", "ImportRequest", "Importer", "NotMail", "Phase"]
