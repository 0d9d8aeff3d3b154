"""What alerts say, in English and French. Pure data; a language is complete or it does not exist.

`{subject}` is what it is about. What it means and what to do are written for whoever is woken by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One condition in one language. `ended` empty: its end is told with the words of its opening."""

    opened: str
    meaning: str
    remedy: str
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Language:
    """Everything that messages say in one language."""

    words: Mapping[str, Words]
    labels: Mapping[str, str]
    again: str
    over: str
    many: str
    several: str
    nameless: str
    units: tuple[str, str, str, str]
    meaning: str
    remedy: str
    link: str
    undelivered: str
    colon: str = ":"
    thousands: str = ","


ENGLISH = Language(
    words={
        "api-errors": Words(
            "Many API errors",
            "Requests or calls to providers fail again and again.",
            "Look at the routes and classes below and in logs/errors.log; was something just deployed?",
            "API errors have calmed down",
        ),
        "error-500": Words(
            "Error 500: {subject}",
            "A request ended in a fault of the program. Whoever made it saw an error.",
            "Find the class and the place below in logs/errors.log: the whole stack is there.",
        ),
        "database-down": Words(
            "Database down: {subject}",
            "Nothing is taken in or processed until it is back. What was acknowledged is safe in it.",
            "Look at the server: is it running, is its disk full, can it be reached? All goes on by itself afterwards.",
            "Database back: {subject}",
        ),
        "redis-down": Words(
            "Redis down",
            "No job is dispatched until it is back. Nothing is lost: the ledger in PostgreSQL holds every job.",
            "Look at the server: is it running, is its memory full? All goes on by itself afterwards.",
            "Redis back",
        ),
        "rate-limited-in": Words(
            "Many requests refused with 429: {subject}",
            "A client asks for more than it is allowed.",
            "Find out who asks; raise the limit or stop the client.",
        ),
        "rate-limited-out": Words(
            "{subject} limits us (429)",
            "The provider refuses calls for now; their jobs wait and use no attempt.",
            "If it goes on: raise the quota there, or lower the concurrency of its queue.",
        ),
        "job-dead": Words(
            "Dead jobs in {subject}",
            "A job of a critical queue has failed for good and waits for a decision.",
            "Look at its last error, mend the cause, then `tournee dead redrive`.",
        ),
        "newsletter-invalid": Words(
            "Newsletter invalid",
            "A newsletter could not be analysed in any of its attempts. It is kept and shown with the reason.",
            "Look at the job's last error; once the cause is mended, `tournee dead redrive` analyses it again.",
        ),
        "breaker-open": Words(
            "Provider away: {subject}",
            "Calls to it fail, so its jobs are parked. They use no attempt and go on by themselves.",
            "Look at the provider's status page and at our credentials for it.",
            "Provider back: {subject}",
        ),
        "dead-letters": Words(
            "Dead letters pile up",
            "More and more jobs have failed for good and wait for a decision.",
            "`tournee dead list` shows their errors; mend the cause, then redrive or discard them.",
            "Dead letters are fewer again",
        ),
        "search-late": Words(
            "Newsletters become searchable too late",
            "At least one is stored and has waited for longer than the objective to be analysed and indexed.",
            "Look in the console at what the oldest waits for: do workers run, do their queues move?",
            "Newsletters are searchable in time again",
        ),
        "disk-nearly-full": Words(
            "Disk nearly full: {subject}",
            "Once it is full, PostgreSQL stops and no mail can be kept.",
            "Make room, or move the home to a larger disk.",
            "Disk has room again: {subject}",
        ),
    },
    labels={
        "count": "How often",
        "since": "Since",
        "last": "Last",
        "lasted": "Lasted",
        "explained": "Errors it explains",
        "process": "Process",
        "error": "Error",
        "place": "Place",
        "queue": "Queue",
        "job": "Job",
        "attempts": "Attempts",
        "most": "Most frequent",
        "free": "Free",
        "waiting": "Waiting",
        "oldest": "The oldest waits for",
        "objective": "Objective",
        "provider": "Provider",
        "status": "Status",
    },
    again="still going on",
    over="over",
    many="{count} times",
    several="{count} alerts",
    nameless="others",
    units=("{} s", "{} min {} s", "{} h {} min", "{} d {} h"),
    meaning="What it means",
    remedy="What to do",
    link="Look at it",
    undelivered="Discord did not take this message; so it comes by e-mail.",
)

FRENCH = Language(
    words={
        "api-errors": Words(
            "Nombreuses erreurs d’API",
            "Des requêtes ou des appels aux fournisseurs échouent de façon répétée.",
            "Regardez les routes et les classes ci-dessous et dans logs/errors.log ; y a-t-il eu un déploiement ?",
            "Les erreurs d’API se sont calmées",
        ),
        "error-500": Words(
            "Erreur 500 : {subject}",
            "Une requête s’est terminée par une faute du programme. Son auteur a vu une erreur.",
            "Cherchez la classe et l’endroit ci-dessous dans logs/errors.log : toute la pile s’y trouve.",
        ),
        "database-down": Words(
            "Base de données indisponible : {subject}",
            "Rien n’est reçu ni traité tant qu’elle n’est pas revenue. Ce qui a été accepté y est en sûreté.",
            "Regardez le serveur : tourne-t-il, son disque est-il plein, est-il joignable ? Tout reprend ensuite seul.",
            "Base de données de retour : {subject}",
        ),
        "redis-down": Words(
            "Redis indisponible",
            "Aucune tâche n’est distribuée tant qu’il n’est pas revenu. Rien n’est perdu : le registre dans PostgreSQL "
            "contient chaque tâche.",
            "Regardez le serveur : tourne-t-il, sa mémoire est-elle pleine ? Tout reprend ensuite seul.",
            "Redis de retour",
        ),
        "rate-limited-in": Words(
            "Nombreuses requêtes refusées (429) : {subject}",
            "Un client demande plus que ce qui lui est permis.",
            "Trouvez qui demande ; relevez la limite ou arrêtez ce client.",
        ),
        "rate-limited-out": Words(
            "{subject} nous limite (429)",
            "Le fournisseur refuse des appels pour le moment ; leurs tâches attendent sans user de tentative.",
            "Si cela dure : augmentez le quota chez lui, ou réduisez la concurrence de sa file.",
        ),
        "job-dead": Words(
            "Tâches mortes dans {subject}",
            "Une tâche d’une file critique a échoué définitivement et attend une décision.",
            "Regardez sa dernière erreur, réparez la cause, puis `tournee dead redrive`.",
        ),
        "newsletter-invalid": Words(
            "Newsletter invalide",
            "Une newsletter n’a pu être analysée à aucune tentative. Elle est gardée et affichée avec la raison.",
            "Regardez la dernière erreur de la tâche ; la cause réparée, `tournee dead redrive` l’analyse de nouveau.",
        ),
        "breaker-open": Words(
            "Fournisseur indisponible : {subject}",
            "Les appels échouent : ses tâches sont mises de côté. Elles n’usent aucune tentative et reprennent seules.",
            "Regardez la page d’état du fournisseur et nos identifiants chez lui.",
            "Fournisseur de retour : {subject}",
        ),
        "dead-letters": Words(
            "Les lettres mortes s’accumulent",
            "De plus en plus de tâches ont échoué définitivement et attendent une décision.",
            "`tournee dead list` montre leurs erreurs ; réparez la cause, puis relancez-les ou écartez-les.",
            "Les lettres mortes sont de nouveau moins nombreuses",
        ),
        "search-late": Words(
            "Newsletters trouvables trop tard",
            "Au moins une est enregistrée et attend depuis plus longtemps que l’objectif d’être analysée et indexée.",
            "Regardez dans la console ce qu’attend la plus ancienne : des workers tournent-ils, leurs files "
            "avancent-elles ?",
            "Les newsletters sont de nouveau trouvables à temps",
        ),
        "disk-nearly-full": Words(
            "Disque presque plein : {subject}",
            "Une fois plein, PostgreSQL s’arrête et aucun courrier ne peut être gardé.",
            "Faites de la place, ou déplacez le dossier vers un disque plus grand.",
            "Le disque a de nouveau de la place : {subject}",
        ),
    },
    labels={
        "count": "Combien de fois",
        "since": "Depuis",
        "last": "Dernière fois",
        "lasted": "Durée",
        "explained": "Erreurs expliquées",
        "process": "Processus",
        "error": "Erreur",
        "place": "Endroit",
        "queue": "File",
        "job": "Tâche",
        "attempts": "Tentatives",
        "most": "Les plus fréquentes",
        "free": "Libre",
        "waiting": "En attente",
        "oldest": "La plus ancienne attend depuis",
        "objective": "Objectif",
        "provider": "Fournisseur",
        "status": "Statut",
    },
    again="toujours en cours",
    over="terminé",
    many="{count} fois",
    several="{count} alertes",
    nameless="autres",
    units=("{} s", "{} min {} s", "{} h {} min", "{} j {} h"),
    meaning="Ce que cela veut dire",
    remedy="Que faire",
    link="Voir",
    undelivered="Discord n’a pas pris ce message ; il vient donc par e-mail.",
    colon=" :",
    thousands=" ",
)

LANGUAGES: Mapping[str, Language] = {"en": ENGLISH, "fr": FRENCH}
