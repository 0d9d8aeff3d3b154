"""A mailbox to try Tournée on: four people, twelve newsletters in three languages, and the mail around them.

Every word of it was written for this purpose; publishers, people and addresses (`.example`) are invented.
"""

from tournee_sandbox.mailbox.builder import FolderNotEmpty, write_sample_mailbox
from tournee_sandbox.mailbox.sample import SampleMailbox

__all__ = ["FolderNotEmpty", "SampleMailbox", "write_sample_mailbox"]
