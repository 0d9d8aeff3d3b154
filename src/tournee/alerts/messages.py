"""From an incident to what is said of it: title, figures, meaning, remedy, link.

Pure. Everything that is not from `wording` goes through `redact_name`: classes, ids, counts and names leave, nothing
else does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tournee.alerts.conditions import Ends
from tournee.alerts.incidents import OTHERS, Incident, Telling, identify
from tournee.alerts.ports import Message, Phase
from tournee.alerts.settings import AlertSettings
from tournee.alerts.wording import ENGLISH, LANGUAGES, Language
from tournee.kit.logs.redaction import redact_name

MINUTE = 60
HOUR = 3600
DAY = 86400
MOST_FREQUENT = 5


def compose_message(telling: Telling, settings: AlertSettings, at: datetime) -> Message:
    """What is said of an incident now. A condition without wording is said by its name."""
    language = LANGUAGES.get(settings.language, ENGLISH)
    incident, phase = telling.incident, telling.phase
    condition, words = incident.fault.condition, language.words.get(incident.fault.condition.name)
    return Message(
        incident=identify(incident),
        condition=condition.name,
        phase=phase,
        severity=condition.severity,
        title=_write_title(incident, phase, language),
        text=_write_summary(incident, phase, language),
        fields=_list_fields(incident, phase, language, settings.process),
        meaning="" if words is None or phase is Phase.ENDED else words.meaning,
        remedy="" if words is None or phase is Phase.ENDED else words.remedy,
        link=_link(incident, settings.console_url),
        footer="Tournée",
        at=at,
        mails=condition.mailed and not incident.fault.mailed and phase is not Phase.ONGOING,
        mail_stands_in=not incident.fault.mailed,
    )


def describe_seconds(seconds: float, language: Language) -> str:
    """A duration in its two largest units."""
    whole = max(0, round(seconds))
    one, two, three, four = language.units
    if whole < MINUTE:
        return one.format(whole)
    if whole < HOUR:
        return two.format(*divmod(whole, MINUTE))
    if whole < DAY:
        return three.format(whole // HOUR, whole % HOUR // MINUTE)
    return four.format(whole // DAY, whole % DAY // HOUR)


def _write_title(incident: Incident, phase: Phase, language: Language) -> str:
    condition = incident.fault.condition
    subject = language.nameless if incident.fault.key == OTHERS else redact_name(incident.fault.subject)
    words = language.words.get(condition.name)
    if words is None:
        title = f"{condition.name}{language.colon} {subject}" if subject else condition.name
    elif phase is Phase.ENDED and words.ended:
        return words.ended.format(subject=subject)
    else:
        title = words.opened.format(subject=subject)
    suffix = {Phase.OPENED: "", Phase.ONGOING: f" ({language.again})", Phase.ENDED: f" ({language.over})"}[phase]
    return title + suffix


def _write_summary(incident: Incident, phase: Phase, language: Language) -> str:
    """The one line that matters most: how long, or how often."""
    if incident.fault.condition.ends is Ends.STATED:
        if phase is not Phase.ENDED or incident.ended is None:
            return ""
        lasted = describe_seconds(incident.ended.at - incident.opened.at, language)
        return f"{language.labels['lasted']}{language.colon} {lasted}"
    return language.many.format(count=write_count(incident.count, language)) if incident.count > 1 else ""


def _list_fields(incident: Incident, phase: Phase, language: Language, process: str) -> Sequence[tuple[str, str]]:
    labels, stated = language.labels, incident.fault.condition.ends is Ends.STATED
    fields = [(labels.get(name, name), redact_name(value)) for name, value in incident.fault.facts.items() if value]
    fields.append((labels["since"], write_time(incident.opened.wall)))
    if not stated and incident.count > 1:
        fields += [
            (labels["count"], write_count(incident.count, language)),
            (labels["last"], write_time(incident.last.wall)),
        ]
    if incident.details:
        most = incident.details.most_common(MOST_FREQUENT)
        lines = [f"{write_count(count, language)} × {redact_name(detail)}" for detail, count in most]
        fields.append((labels["most"], "\n".join(lines)))
    if incident.explained:
        fields.append((labels["explained"], write_count(incident.explained, language)))
    if phase is Phase.ENDED and stated and incident.ended is not None:
        fields.append((labels["last"], write_time(incident.ended.wall)))
    fields.append((labels["process"], process))
    return fields


def write_count(count: int, language: Language) -> str:
    """A number with its thousands apart."""
    return f"{count:,}".replace(",", language.thousands)


def write_time(at: datetime) -> str:
    """To the second, with the zone: readers may be anywhere."""
    return at.strftime("%Y-%m-%d %H:%M:%S %Z")


def _link(incident: Incident, console_url: str) -> str:
    if not console_url:
        return ""
    base = console_url.rstrip("/")
    job_id, page = incident.fault.job_id, incident.fault.condition.page
    return f"{base}/jobs/{job_id}" if job_id is not None else f"{base}/{page}"
