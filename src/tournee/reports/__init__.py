"""What an operator is told: the shapes that the command line, the API and the console share.

Owns their fields and the order of them; as JSON each is the object of its fields, times in ISO 8601 with their zone.
Keeps: plain, frozen data. Refuses to know where a figure comes from.
"""

from tournee.reports.imports import ImportOrder, ImportReport, ImportSummary, Progress, SkippedFile
from tournee.reports.jobs import AttemptReport, BulkOrder, BulkReport, JobDetail, JobFilter, JobReport
from tournee.reports.status import (
    Address,
    CostReport,
    Finding,
    LimitsReport,
    MailboxReport,
    MigrationReport,
    ProviderReport,
    QueueReport,
    ReconcileReport,
    ScheduleReport,
    StatusReport,
    Verdict,
    WorkerReport,
)

__all__ = [
    "Address",
    "AttemptReport",
    "BulkOrder",
    "BulkReport",
    "CostReport",
    "Finding",
    "ImportOrder",
    "ImportReport",
    "ImportSummary",
    "JobDetail",
    "JobFilter",
    "JobReport",
    "LimitsReport",
    "MailboxReport",
    "MigrationReport",
    "Progress",
    "ProviderReport",
    "QueueReport",
    "ReconcileReport",
    "ScheduleReport",
    "SkippedFile",
    "StatusReport",
    "Verdict",
    "WorkerReport",
]
