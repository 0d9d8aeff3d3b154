"""What the header fields say: list fields, traces of bulk software, roles; against it, traces of correspondence.

No rule names a sender: software and infrastructure that anybody can use are named, publishers are not.
"""

from __future__ import annotations

import re
from typing import Final

from tournee.pipeline.core.detection.evidence import NOTHING, Evidence, Finding, Rule, Side

_BULK_PRECEDENCE: Final = frozenset({"bulk", "list", "junk"})
_BULK_FIELDS: Final = frozenset(
    "feedback-id x-csa-complaints x-campaign x-campaignid x-campaign-id x-mailinglist-id x-mailing-id x-mailingid "
    "x-mc-user x-mj-mid x-sg-eid x-sg-id x-mandrill-user x-pm-message-id x-mailgun-sid x-ses-outgoing "
    "x-report-abuse x-report-abuse-to x-abuse-reports-to x-complaints-to x-job x-jobid x-job-id x-listid x-list-id "
    "x-listmember x-list-unsubscribe x-subscription x-unsubscribe x-mailer-recptid x-mailer-sid x-mailer-info "
    "x-rpcampaign x-sib-id x-klaviyo-message-id x-ulpe x-roving-id x-bounce-id x-binding x-emv-campagneid "
    "x-virtual-mta x-virtualserver x-destination-id x-accounttype x-msys-api x-msfbl x-rmd-id x-rext x-cid x-mid "
    "x-et-sid x-lyris-message-id x-elq-campaign x-newsletter x-newsletterid x-newsletter-id x-nl-id "
    "x-subscriber-id x-subscriberid x-mailgun-variables list-help list-owner list-archive".split()
)
_BULK_SOFTWARE: Final = re.compile(
    r"phplist|mailchimp|sendy|listserv|lyris|lsoft|lsmtp|constant ?contact|campaign|newsletter|mailing ?list|bulk|"
    r"sendgrid|mailjet|mailgun|sparkpost|postmark|brevo|sendinblue|cleverreach|inxmail|rapidmail|klaviyo|hubspot"
    r"|marketo|eloqua|"
    r"pardot|exacttarget|responsys|silverpop|acoustic|emarsys|episerver|optivo|optimizely|broadmail|accucast|"
    r"mailman|majordomo|ezmlm|ecartis|sympa|e-?mail ?marketing|mass ?mail|mailer v|ppm|swiftmailer|phpmailer",
    re.I,
)
_ROLE: Final = re.compile(
    r"(?:^|[._+-])(?:news\w{0,12}|enews\w{0,12}|newsletters?|weekly|daily|digest\w{0,4}|updates?|announce\w{0,8}|lists?"
    r"|listmanager|bulletin|mailing\w{0,6}|mailer|subscri\w{0,8}|editors?|editorial|headlines?|marketing|offers?"
    r"|promo\w{0,6}|redaktion|redaction|lettre)(?:$|[._+-])",
    re.I,
)
_ROLE_NAME: Final = re.compile(
    r"\b(?:news|newsletters?|weekly|daily|digest|dispatch|bulletin|update|updates|headlines|alerts?|announcements?"
    r"|team|"
    r"list|magazine|journal|lettre|infolettre|rundbrief|boletín|notiziario|nieuwsbrief|report|review|tips|store"
    r"|shop|online)\b",
    re.I,
)
_VERP: Final = re.compile(
    r"(?:bounces?|returns?|errors?|owner|sentto|mailing|news|list)[^@\s]{1,200}@|=[^@\s]{1,100}@|\d{5}[^@\s]{0,215}@"
    r"|@(?:bounces?|returns?|mailing|news|em|e|email|mail\d?|lists?|newsletters?)\.",
    re.I,
)
_BULK_HOST: Final = re.compile(
    r"@(?:[\w-]{1,60}\.)?(?:news|newsletters?|mailing|mailings|email|e|em|list|lists|bounces?|enews|mailer)\.", re.I
)
_FREE_MAIL: Final = re.compile(
    r"@(?:[\w-]{1,30}\.)?(?:gmail|googlemail|yahoo|ymail|hotmail|outlook|live|msn|aol|juno|lycos|excite|gmx|web"
    r"|mail|caramail|"
    r"netscape|earthlink|btamail|sohu|sina|163|126|qq|hinet|bol|uol|terra|libero|freemail|rediffmail|runbox"
    r"|netzero|icloud)"
    r"\.[a-z.]{2,10}\Z"
)
_REPLY: Final = re.compile(
    r"(?:\[[^\]]{1,40}\]\s{0,3}){0,3}(?:re|aw|antw|sv|vs|odp|réf|rif|res|r)\s{0,2}(?:\[\d{1,3}\])?\s{0,2}[:>]", re.I
)
_FORWARD: Final = re.compile(
    r"(?:\[[^\]]{1,40}\]\s{0,3}){0,3}(?:fwd?|wg|tr|rv|doorst|enc|i)\s{0,2}:|.{0,200}\(fwd\)", re.I
)
_LIST_TAG: Final = re.compile(r"\s{0,3}\[[\w .:/-]{2,30}\]\s")
_PERSONAL_SOFTWARE: Final = re.compile(
    r"mutt|evolution|thunderbird|mozilla|outlook(?! iq)|apple mail|iphone mail|ipad mail|pine|gnus|exmh|kmail"
    r"|eudora|the bat|notmuch|"
    r"sylpheed|claws|elm|mew|vm |wanderlust|squirrelmail|roundcube|internet mail service|nmh|slrn|knode|pegasus"
    r"|mailtrap|k-9|"
    r"git-send-email|ximian|forte agent|opera|entourage|webmail|zimbra|emacs|mailmate|netscape|novell groupwise"
    r"|lotus notes",
    re.I,
)
_DAEMON: Final = re.compile(
    r"(?:^|[._+-])(?:mailer-?daemon|postmaster|mail-?daemon|bounce\w{0,4}|daemon|root|cron)(?:$|[._+-])", re.I
)
_ROBOT: Final = re.compile(
    r"(?:^|[._+-])(?:bugzilla\w{0,8}|jira|gitlab|github|notifications?|cron|nagios|root|apache|www-data|daemon"
    r"|buildbot|jenkins|owner|"
    r"calendar\w{0,20}|rssfeeds?|rss)(?:$|[._+-])",
    re.I,
)
_NOTICE: Final = re.compile(r"alerts?\b|\balert|\bnotification|\breminder\b|\binvitation\b", re.I)
_SPAM_STATUS: Final = re.compile(r"yes\b", re.I)


def _present(name: str, rule_detail: str = "") -> Finding:
    return Finding(1.0, (rule_detail or name)[:80])


def _see_list_id(mail: Evidence) -> Finding:
    return (
        _present(mail.header("list-id")[:80], "List-Id")
        if mail.has("list-id") and not mail.has("list-post")
        else NOTHING
    )


def _see_list_unsubscribe(mail: Evidence) -> Finding:
    if not mail.has("list-unsubscribe"):
        return NOTHING
    return Finding(0.4 if mail.has("list-post") else 1.0, "List-Unsubscribe")


def _see_one_click(mail: Evidence) -> Finding:
    return _present("List-Unsubscribe-Post") if mail.has("list-unsubscribe-post") else NOTHING


def _see_precedence(mail: Evidence) -> Finding:
    value = mail.header("precedence").lower().strip()
    return (
        Finding(0.4 if mail.has("list-post") else 1.0, f"Precedence: {value}") if value in _BULK_PRECEDENCE else NOTHING
    )


def _see_bulk_traces(mail: Evidence) -> Finding:
    if mail.has("list-post"):
        return NOTHING
    found = sorted(_BULK_FIELDS.intersection(mail.headers))
    software = f"{mail.header('x-mailer')} {mail.header('x-generator')} {mail.header('user-agent')}"
    matched = _BULK_SOFTWARE.search(software[:500])
    if matched:
        found.append(matched[0])
    return Finding(min(1.0, 0.6 + 0.2 * len(found)), ", ".join(found[:4])) if found else NOTHING


def _see_return_path(mail: Evidence) -> Finding:
    path = mail.header("return-path")[:500]
    if mail.has("list-post") or not path:
        return NOTHING
    matched = _VERP.search(path)
    return Finding(1.0, matched[0][:60]) if matched else NOTHING


def _see_role(mail: Evidence) -> Finding:
    local, _, _ = mail.from_address.partition("@")
    matched = _ROLE.search(local[:100])
    if matched:
        return Finding(1.0, matched[0].strip("._+-"))
    matched = _BULK_HOST.search(mail.from_address)
    return Finding(0.8, matched[0]) if matched else NOTHING


def _see_role_name(mail: Evidence) -> Finding:
    matched = _ROLE_NAME.search(mail.from_name[:200])
    return Finding(1.0, matched[0]) if matched else NOTHING


def _see_machine_address(mail: Evidence) -> Finding:
    """An address made for one recipient: digits and letters mixed, long, or with `#` and dots in between."""
    local, _, _ = mail.from_address.partition("@")
    digits = sum(character.isdigit() for character in local)
    return Finding(1.0, "address made by software") if len(local) >= 15 and digits >= 5 else NOTHING


def _see_discussion(mail: Evidence) -> Finding:
    return _present("List-Post") if mail.has("list-post") else NOTHING


def _see_answer(mail: Evidence) -> Finding:
    if mail.header("in-reply-to"):
        return _present("In-Reply-To")
    return _present("References") if mail.header("references") else NOTHING


def _see_reply_subject(mail: Evidence) -> Finding:
    return Finding(1.0, mail.subject[:30]) if _REPLY.match(mail.subject) else NOTHING


def _see_forward_subject(mail: Evidence) -> Finding:
    return Finding(1.0, mail.subject[:30]) if _FORWARD.match(mail.subject[:300]) else NOTHING


def _see_list_tag(mail: Evidence) -> Finding:
    """A tag in brackets is a discussion list's, when list fields say that it is one."""
    if _LIST_TAG.match(mail.subject[:100]) and (mail.has("list-post") or mail.has("in-reply-to")):
        return Finding(1.0, mail.subject[:30])
    return NOTHING


def _see_personal_software(mail: Evidence) -> Finding:
    software = f"{mail.header('x-mailer')} {mail.header('user-agent')}"[:300]
    matched = _PERSONAL_SOFTWARE.search(software)
    return Finding(1.0, matched[0]) if matched else NOTHING


def _see_free_mail(mail: Evidence) -> Finding:
    if mail.has("list-unsubscribe"):
        return NOTHING
    matched = _FREE_MAIL.search(mail.from_address)
    return Finding(1.0, matched[0]) if matched else NOTHING


def _see_bounce(mail: Evidence) -> Finding:
    if "multipart/report" in mail.part_types[:2] or "message/delivery-status" in mail.part_types:
        return _present("delivery report")
    if mail.has("x-failed-recipients") or mail.header("return-path").strip() == "<>":
        return Finding(0.8, "empty return path")
    local, _, _ = mail.from_address.partition("@")
    return Finding(1.0, local[:40]) if _DAEMON.search(local) else NOTHING


def _see_automatic(mail: Evidence) -> Finding:
    if mail.header("auto-submitted").lower().startswith("auto-re"):
        return _present("Auto-Submitted")
    if any(
        name.startswith(("x-bugzilla", "x-github", "x-gitlab", "x-jira", "x-cron", "x-autoreply", "x-rt-"))
        for name in mail.headers
    ):
        return _present("robot's fields")
    local, _, _ = mail.from_address.partition("@")
    matched = _ROBOT.search(local[:100])
    if matched:
        return Finding(0.8, matched[0])
    matched = _NOTICE.search(f"{local[:100]} {mail.subject[:200]}")
    return Finding(0.5, matched[0]) if matched else NOTHING


def _see_spam_flag(mail: Evidence) -> Finding:
    if _SPAM_STATUS.match(mail.header("x-spam-flag")) or _SPAM_STATUS.match(mail.header("x-spam-status")):
        return _present("X-Spam")
    return NOTHING


def _see_encrypted(mail: Evidence) -> Finding:
    kinds = [kind for kind in mail.part_types[:3] if kind in _SEALED]
    return Finding(1.0, kinds[0]) if kinds else NOTHING


_SEALED: Final = frozenset(
    "multipart/signed multipart/encrypted application/pkcs7-mime application/x-pkcs7-mime text/calendar "
    "application/pgp application/ms-tnef".split()
)

HEADER_RULES: Final = (
    Rule("list-id", Side.FOR, 1.0, _see_list_id),
    Rule("list-unsubscribe", Side.FOR, 1.2, _see_list_unsubscribe),
    Rule("one-click-unsubscribe", Side.FOR, 1.0, _see_one_click),
    Rule("precedence-bulk", Side.FOR, 0.8, _see_precedence),
    Rule("bulk-software", Side.FOR, 1.2, _see_bulk_traces),
    Rule("bounce-address", Side.FOR, 0.8, _see_return_path),
    Rule("role-address", Side.FOR, 1.0, _see_role),
    Rule("role-name", Side.FOR, 0.8, _see_role_name),
    Rule("machine-address", Side.FOR, 0.5, _see_machine_address),
    Rule("list-post", Side.AGAINST, -2.0, _see_discussion),
    Rule("answer", Side.AGAINST, -3.0, _see_answer),
    Rule("reply-subject", Side.AGAINST, -2.5, _see_reply_subject),
    Rule("forwarded", Side.AGAINST, -0.8, _see_forward_subject),
    Rule("discussion-tag", Side.AGAINST, -0.5, _see_list_tag),
    Rule("personal-software", Side.AGAINST, -1.5, _see_personal_software),
    Rule("free-mail-sender", Side.AGAINST, -1.5, _see_free_mail),
    Rule("bounce", Side.AGAINST, -4.0, _see_bounce),
    Rule("automatic", Side.AGAINST, -1.5, _see_automatic),
    Rule("spam-flag", Side.AGAINST, -2.0, _see_spam_flag),
    Rule("signed-or-encrypted", Side.AGAINST, -1.5, _see_encrypted),
)
