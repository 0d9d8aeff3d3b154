"""Three invented newsletters, in the shapes that mails have: hard-wrapped text, one line a block, a German shop."""

from tournee.pipeline.ports import AnalysisRequest, Link

ENGLISH = AnalysisRequest(
    message_id=None,
    subject="Fwd: [harbour-news] Harbour bridge reopens after two years",
    sender="The Harbour Letter",
    links=(
        Link("https://letter.example/view?u=1", "View in browser"),
        Link("https://letter.example/bridge", "The bridge reopens on Monday"),
        Link("https://letter.example/ferry", "Read more"),
        Link("https://www.facebook.com/harbourletter", "Facebook"),
        Link("https://letter.example/unsubscribe?id=7", "Unsubscribe"),
    ),
    text="""View in browser

THE HARBOUR LETTER
==================

The bridge reopens on Monday

The harbour bridge will reopen to traffic on Monday after two years of
repairs. Engineers of the Port Authority replaced 4,000 rivets and the
whole deck, which Dr. Jane Miller called the largest repair since 1932.
It was cheaper than planned.

The ferry stays until spring

The ferry between Northgate and the Old Quay keeps running until the end
of March. The Port Authority wants to see how much traffic the bridge
takes before it decides about the ferry.

Read more

--------------------------------------------------

Facebook
You are receiving this email because you signed up at letter.example.
Unsubscribe | Privacy policy
The Harbour Letter Ltd, 12 Quay Street, Northgate. All rights reserved.
""",
)

FRENCH = AnalysisRequest(
    message_id=None,
    subject="La gazette du verger : greffe et taille",
    sender="Gazette du verger",
    links=(
        Link("https://verger.example/greffe", "Le guide de la greffe en fente"),
        Link("https://verger.example/d", "Se désinscrire"),
    ),
    text="""Afficher dans le navigateur
Nous avons le plaisir de vous présenter le nouveau numéro de la gazette.
La greffe des pommiers commence en mars, quand la sève remonte dans les branches. M. Dupont, pépiniériste à Angers, \
conseille de prélever les greffons dès janvier et de les garder au frais.
Le guide de la greffe en fente
L'association des Croqueurs de Pommes organise un atelier de taille à Tours le 12 mars. Les participants apprendront \
la taille des pommiers et des poiriers avec des pépiniéristes de la région.
Vous recevez ce message car vous êtes abonné à la gazette.
Se désinscrire
""",
)

GERMAN = AnalysisRequest(
    message_id=None,
    subject="Neues vom Stadtgarten",
    sender="Stadtgarten Leipzig e.V.",
    links=(
        Link("https://garten.example/tomaten", "Tomaten richtig vorziehen"),
        Link("https://garten.example/abmelden", "Abmelden"),
    ),
    text="""Im Browser ansehen
Tomaten richtig vorziehen
Am 3. März beginnt im Stadtgarten die Aussaat der Tomaten, z. B. der alten Sorten aus Sachsen. Die Tomaten brauchen \
viel Licht und eine Temperatur von mehr als 20 Grad, damit die Pflanzen kräftig wachsen.
Der neue Kompost ist da
Die Stadtwerke Leipzig GmbH liefert in dieser Woche den Kompost für alle Beete im Stadtgarten. Wer Kompost braucht, \
kann ihn bis Freitag am Tor abholen.
Sie erhalten diese E-Mail, weil Sie Mitglied sind.
Abmelden
Impressum
""",
)

ALL = (ENGLISH, FRENCH, GERMAN)


def make_request(text: str = "", subject: str = "", links: tuple[Link, ...] = (), hint: str = "und") -> AnalysisRequest:
    return AnalysisRequest(None, subject, "", text, links, hint)
