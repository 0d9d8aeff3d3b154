"""The words by which newsletters, confirmations, receipts and spam are known, in several languages.

Every pattern is applied to case-folded text ("ß" is "ss" there) and is linear: no pattern repeats a repetition.
"""

from __future__ import annotations

import re
from typing import Final

UNSUBSCRIBE: Final = re.compile(
    r"unsubscrib|opt[ -]?out|(?:remove|take) (?:yourself|me|your (?:name|address)) (?:from|off) (?:this|our"
    r"|the) (?:\w+ )?(?:list|mailing)"
    r"|(?:stop|no longer wish to|don.t want to) (?:receiv|get)\w{0,3} (?:this|these|our|the|future|any)"
    r"|don.t want these|cancel your subscription|to leave this (?:list|newsletter)|change your subscription"
    r"|d[ée]sabonn|d[ée]sinscri|ne (?:plus|souhaitez plus) recevoir|se d[ée]sinscrire"
    r"|abmeld|abbestell|austragen|newsletter k[üu]ndigen|keine weiteren (?:e-?mails|newsletter)|nicht mehr erhalten"
    r"|darse? de baja|date de baja|cancelar (?:la |tu |su )?suscripci|dejar de recibir"
    r"|disiscri|cancella(?:re|ti)? (?:l.|la )?iscrizion|non desideri pi[uù]"
    r"|cancelar (?:a )?(?:inscri|subscri|assinatura)|descadastr|deixar de receber"
    r"|afmeld|uitschrijv|wypisz|wypisa|отписа|отказаться от рассылки"
)
UNSUBSCRIBE_LINK: Final = re.compile(
    r"unsub|opt-?_?out|optout|/leave|remove-?me|abmeld|desabonn|desinscri|disiscri|darse-?baja|/baja|uitschrij"
    r"|afmeld|descadastr|signoff|/u/|manage_?sub",
    re.I,
)
VIEW_ONLINE: Final = re.compile(
    r"view (?:this |the |it |our )?(?:e-?mail |message |newsletter |issue |post |page |online |version )?(?:in|on"
    r"|with) (?:your|a|the|our) (?:\w+ )?(?:browser|web|site)"
    r"|(?:view|read|see) (?:this |it )?(?:e-?mail |issue |post |newsletter )?(?:online|in browser|on the web)"
    r"|(?:web|online|html) version|web view"
    r"|trouble (?:viewing|reading|seeing)|(?:can.?t|cannot|unable to) (?:see|view|read) (?:this|the|images)"
    r"|having (?:trouble|problems|difficulty)"
    r"|(?:voir|lire|afficher|visualiser|consulter) (?:\w+ ){0,4}(?:dans (?:le|votre|un) navigateur|en ligne)"
    r"|version (?:en ligne|web)"
    r"|(?:im|in ihrem|in deinem) (?:web-?)?browser|online-?(?:version|ansicht)|darstellungsprobleme"
    r"|nicht (?:richtig|korrekt) (?:angezeigt|dargestellt)|webversion"
    r"|(?:en|desde) (?:el|tu|su) navegador|versi[oó]n (?:web|online|en l[ií]nea)|nel (?:tuo )?browser"
    r"|versione (?:web|online)"
    r"|no (?:seu )?navegador|vers[aã]o (?:web|online)|in (?:je|uw|de) browser|webversie|online versie"
)
PREFERENCES: Final = re.compile(
    r"(?:manage|update|change|edit|modify|set) (?:your |my |e-?mail |subscription )+(?:preferences|subscriptions?"
    r"|profile|settings|options|address|account|details)"
    r"|subscription (?:center|centre|preferences|options|status|info|information|services)|e-?mail preferences"
    r"|subscribe or unsubscribe|to (?:subscribe|sign up)"
    r"|forward (?:this )?(?:\w+ )?to a (?:friend|colleague)|(?:send|e-?mail|tell) (?:this "
    r"|it )?(?:\w+ )?(?:to )?a friend|was this (?:e-?mail )?forwarded to you|forwarded this"
    r"|g[ée]rer (?:vos|mes|votre) (?:pr[ée]f[ée]rences|abonnements?|inscription)|modifier (?:vos"
    r"|votre) (?:pr[ée]f[ée]rences|profil|abonnement)|s.abonner|transf[ée]rer [aà] un ami"
    r"|(?:einstellungen|profil|daten|abonnement) (?:\w+ )?(?:verwalten|[äa]ndern|bearbeiten|anpassen)"
    r"|weiterempfehlen|an (?:einen )?freunde? (?:weiter|send)"
    r"|(?:gestionar|administrar|actualizar|modificar) (?:tus|sus|las|tu|su) (?:preferencias|suscripci|datos|perfil)"
    r"|(?:gestisci|modifica|aggiorna) (?:le (?:tue )?preferenze|il tuo profilo|iscrizione)|(?:gerenciar|atualizar"
    r"|alterar) (?:suas?|as|os seus) (?:prefer|dados|inscri)"
    r"|voorkeuren (?:aanpassen|wijzigen|beheren)|(?:gegevens|profiel) (?:aanpassen|wijzigen)"
)
SUBSCRIBED: Final = re.compile(
    r"you(?:.re| are)? (?:are )?(?:currently )?(?:receiving|receive|getting|subscribed)|you (?:have )?(?:received"
    r"|got|signed up|subscribed|opted|registered)|(?:was|is|been|being) sent to (?:you|\S{1,80}@)|because you"
    r"|as a (?:subscriber|registered|member|valued)"
    r"|(?:your|this|free) (?:free )?subscription|our (?:subscribers|readers|mailing list|members)|(?:to|a"
    r"|this) mailing list|subscribe"
    r"|vous (?:recevez|avez re[çc]u|[êe]tes (?:inscrit|abonn))|(?:cet? (?:e-?mail|message|courriel|lettre)"
    r"|newsletter) (?:vous )?a [ée]t[ée] envoy"
    r"|(?:sie|du) (?:erhalten|erh[äa]ltst|bekommst|bekommen|haben sich|hast dich)|(?:e-?mail|newsletter"
    r"|nachricht) (?:wurde|ist|geht) (?:\w+ )?an|abonn?ent"
    r"|recib(?:es|e|iste|i[oó]) (?:este|esta)|te has suscrito|se ha suscrito|suscriptor|hai ricevuto|ricevi questa"
    r"|ti sei iscritto|iscritt[oi] alla"
    r"|voc[eê] (?:est[aá] )?receb|se inscreveu|(?:u|je) ontvangt|(?:u|je) (?:bent|hebt) (?:ingeschreven|aangemeld)"
    r"|вы подписаны|рассылк"
)
NEWSLETTER: Final = re.compile(
    r"news-?letters?|\be-?news\b|\bezine|\be-zine|e-?bulletin|\bmailing list\b|(?:weekly|daily|monthly|bi-?weekly"
    r"|fortnightly|quarterly) (?:\w+ )?(?:news|e-?mail|update|summary|digest|overview|report|round-?up|edition"
    r"|roundup|review|tip|column|publication|status|issue)"
    r"|(?:news|weekly|daily|monthly) (?:digest|update|bulletin|dispatch|alert|roundup|round-up|brief|report|flash)"
    r"|\bdigest\b|this week (?:in|on|at)|the week in|week.?s (?:news|issue|edition|top)"
    r"|lettre d.information|infolettre|lettre d.actualit|bulletin d.information|hebdomadaire|la lettre (?:du|de"
    r"|des)|nouvelles (?:hebdomadaires|du projet)"
    r"|rundbrief|rundschreiben|mitteilungsblatt|w[öo]chentlich|monatlich|newsletters?-?ausgabe|infobrief|nachrichten"
    r"|bolet[ií]n|notiziario|bollettino|semanal|mensual|settimanale|nieuwsbrief|informativo|noticias|biuletyn"
    r"|бюллетень|рассылка|ενημερωτικ"
)
ISSUE_NUMBER: Final = re.compile(
    r"\b(?:issue|edition|vol(?:ume|\.)?|ausgabe|num[ée]ro|n[úu]mero|edici[oó]n|edizione|edi[çc][aã]o|editie"
    r"|aflevering|heft|folge|bulletin|digest|newsletter)\s{0,3}(?:no\.?|nr\.?|n[°ºo]"
    r"|v\d{1,2})?\s{0,3}[#:]?\s{0,2}\d{1,5}\b"
    r"|[#№]\s{0,2}\d{1,5}\b|\bn[°º]\s{0,2}\d{1,5}\b|\bnr\.?\s{0,2}\d{1,4}\b|\d{1,4}(?:st|nd|rd|th|er|e|ème|\.|ª"
    r"|º) (?:\w+ )?(?:issue|edition|num[ée]ro|ausgabe|edici[oó]n|n[úu]mero|dwn)"
    r"|(?:issue|ausgabe|num[ée]ro|n[úu]mero) \w{1,20}\b (?:of|der|de|du)|(?:first|second|third|fourth|fifth|sixth"
    r"|seventh|eighth|ninth|tenth|another|latest|new|this) (?:issue|edition) of|this year.s \w{1,20} (?:issue"
    r"|edition)"
)
IN_THIS_ISSUE: Final = re.compile(
    r"in this (?:issue|edition|week.s|month.s|newsletter|e-?mail|mailing|update)|this (?:week|month|issue|edition"
    r"|newsletter)(?:.s)?\b|table of contents|top stor(?:y|ies)|(?:today|week|month).s (?:top|headlines|news"
    r"|stories|highlights|topics|edition|tip|issue|features?)|\bheadlines\b|also in|what.s new|latest news"
    r"|quick links|welcome to (?:\w+ ){0,6}(?:newsletter|news|weekly|issue|edition|digest)"
    r"|au sommaire|sommaire|dans ce num[ée]ro|cette semaine|ce mois-?ci|bienvenue dans|à la une"
    r"|nous avons le plaisir de vous|l.actualit[ée]"
    r"|in dieser ausgabe|diese woche|diesen monat|inhalt(?:sverzeichnis)?\b|themen|unsere (?:themen|angebote"
    r"|tipps)|aktuelle?n? (?:ausgabe|nachrichten|angebote|themen)|neuigkeiten|willkommen (?:zu|bei)"
    r"|en este n[úu]mero|esta semana|bienvenid[oa]s? a|in questo numero|questa settimana|nesta edi|esta edi"
    r"|in deze (?:editie|nieuwsbrief)|deze week"
)
READ_MORE: Final = re.compile(
    r"(?:read|learn|find out|see|get|click) (?:more|here|the (?:full|rest|whole))|full story|more (?:info"
    r"|information|details|news|stories|at|on)\b|for more information|for (?:further )?details|continue reading"
    r"|keep reading|shop now|discover|check (?:it )?out|click here|register (?:now|today)|sign up"
    r"|lire (?:la suite|plus|l.article)|en savoir plus|plus d.informations?|cliquez|d[ée]couvr|consult"
    r"|mehr (?:erfahren|lesen|infos?|dazu|informationen)|weiterlesen|jetzt (?:\w+ )?(?:lesen|entdecken|sichern"
    r"|bestellen|ansehen|anmelden|shoppen|kaufen|buchen)|hier klicken|zum (?:artikel|shop|angebot)"
    r"|leer m[áa]s|m[áa]s informaci|ver m[áa]s|leggi (?:tutto|di pi)|scopri|continua a leggere|saiba mais"
    r"|leia mais|lees (?:meer|verder)|meer (?:info|lezen|weten)"
)
IMPRINT: Final = re.compile(
    r"©|\(c\) ?(?:19|20)\d\d|copyright|all rights reserved|tous droits r[ée]serv|alle rechte vorbehalten"
    r"|todos los derechos|impressum|datenschutz|privacy policy|politique de confidentialit|mentions l[ée]gales"
    r"|aviso legal|informativa sulla privacy|privacybeleid"
    r"|p\.? ?o\.? box \d|suite \d{2,5}|, [a-z]{2} \d{5}\b|gesch[äa]ftsf[üu]hrer|handelsregister|si[èe]ge social"
    r"|partita iva|trademarks?|advertis|sponsor"
)
APPEAL: Final = re.compile(
    r"(?:dear|hello|hi|greetings,?|thanks?(?: you)?,?|liebe|chers|ch[èe]res|queridos|estimados|cari|beste"
    r"|hallo,? ihr) (?:\w+ ){0,3}(?:readers?|users?|friends?|members?|subscribers?|supporters?|community"
    r"|customers?|everyone|all|folks|lecteurs|abonn[ée]s|amis|adh[ée]rents|leser\w{0,6}|nutzer\w{0,6}"
    r"|freund\w{0,6}|mitglieder|kund\w{0,6}|lectores|amigos|lettori|amici|leden|lezers|klanten)"
    r"|please (?:donate|support|help us|send us|consider)|donat(?:e|ion)s?\b|support us|we (?:are|have|are happy"
    r"|are pleased|re) (?:\w+ )?(?:announc|launch|releas|introduc|happy to|excited|pleased|proud)|announcing"
    r"|our new\b|help (?:us )?(?:create|needed|fund)|fundrais"
    r"|spende[nt]?\b|unterst[üu]tz|soutenez|faites un don|faire un don|(?<!\w)dons?\b(?!['’])"
    r"|donaci[oó]n|apoya|donazion|sostien"
    r"|doneren|doação"
    r"|пожертв|поддерж|darowizn|wspar|δωρε|wp[łl]a"
    r"|contribute|get involved|call for|contribut(?:e|ing) to|participer|aider|mithelfen|mitmachen|ayud"
)
RECEIPT: Final = re.compile(
    r"your (?:order|invoice|receipt|payment|booking|reservation|purchase|shipment|ticket|package|delivery)\b"
    r"|order (?:number|confirmation|no\.|#|status|id)|invoice (?:no|number|#)|receipt for|has (?:been )?shipped"
    r"|tracking number|thank you for (?:your (?:order|purchase|payment)|ordering|shopping)"
    r"|(?:votre|vos) (?:commande|facture|r[ée]servation|livraison|paiement)|num[ée]ro de commande"
    r"|ihre? (?:bestellung|rechnung|buchung|sendung|lieferung)|bestellnummer|rechnungsnummer|su (?:pedido|factura"
    r"|compra)|il tuo ordine|fattura n|seu pedido|uw bestelling|factuurnummer"
)
CREDENTIALS: Final = re.compile(
    r"(?:reset|forgot|change|new|lost) (?:your |my )?password|password (?:reset|is:|: )|your password"
    r"|verification code|security code|one-?time (?:code|password)|verify your (?:e-?mail|account|identity)"
    r"|(?:your )?username(?: is)?:|log-?in (?:code|attempt)|new sign-?in|account (?:has been )?(?:suspended"
    r"|limited|locked|created|activation)|activate your account"
    r"|mot de passe|code de (?:v[ée]rification|s[ée]curit[ée])|passwort|kennwort|sicherheitscode"
    r"|best[äa]tigungscode|contrase[ñn]a|c[oó]digo de verificaci|reimposta|wachtwoord|senha"
)
FAILED_DELIVERY: Final = re.compile(
    r"(?:could|can) ?not be delivered|undeliver|delivery (?:status notification|has failed|failure|failed)"
    r"|returned mail|mail delivery|permanent (?:fatal )?error|message (?:could not|was not"
    r"|wasn.t) (?:be )?delivered|user unknown|out of (?:the )?office|automatic reply|auto-?reply|vacation"
    r"|abwesenheit|absence du bureau|mailbox (?:is )?(?:full|unavailable)"
)
SPAM: Final = re.compile(
    r"fill (?:out|in) (?:the|this|our) form|otc\b|\bstocks?\b|st0ck|ticker|investors?\b|insider"
    r"|do not reply to this message|instead, go here|remove@|with (?:the word )?.?remove"
    r"|cheap|(?:un)?believ|amazing|incredible|winner|congratulations|you (?:have )?won\b|prize|eligible|grants?\b"
    r"|discount|lowest price|wholesale|save up to|unlimited|instantly|secret"
    r"|viagra|cialis|\bpenis|erection|porn|\bxxx\b|\bsex(?:y|ual)?\b|horny|nude|\bteens?\b sluts?|casino|lottery"
    r"|\bmortgage|refinanc|\bloans?\b|interest rates?|credit (?:card debt|report|repair)|\bdebts?\b|make money"
    r"|money mak|earn (?:\$|up to|money|extra|big)|work (?:at|from) home|home-?based business"
    r"|financial(?:ly)? (?:freedom|independen)|get rich|extra income|income"
    r"|million (?:e-?mail|dollars|usd)|(?:us)?\$ ?\d{1,3}(?:,\d{3}){2,}|bulk e-?mail|e-?mail (?:addresses"
    r"|marketing)|targeted e-?mail|mass mail|100% (?:free|guaranteed|legal|natural)|money.?back|no (?:obligation"
    r"|risk|credit check|cost)|risk.?free|act now|order now|limited time|once in a lifetime|(?:toll|call).free"
    r"|guaranteed|weight loss|lose weight|diet|hair loss|anti-?aging|hgh\b|growth hormone|herbal|prescription"
    r"|\bpills?\b|medication|pharmacy"
    r"|(?:ink|toner|printer) cartridge|inkjet|nigeria|next of kin|confidential(?:ity)? (?:business|transaction)"
    r"|transfer (?:of )?(?:the |this )?(?:sum|fund|money)|beneficiary|bank account|offshore|\bmlm\b|multi-?level"
    r"|downline|chain letter|life insurance|annuit|warranty|cable (?:box|descrambler)|descrambl|s\.? ?1618"
    r"|section 301|this is not spam|is not spam|one.?time mailing|remove in the subject|\"?remove\"? in"
    r"|removed? from (?:our|this|future)|adv:|adult|dating|singles|hot (?:girls|babes)|replica|university diploma"
    r"|diplomas?\b|stock (?:pick|alert)|wire transfer|gewinn(?:spiel)?\b|sexkontakt|gratuit(?:e|ement)? !"
    r"|ganhe dinheiro|dinheiro"
)
CONFIRM: Final = re.compile(
    r"confirm (?:your|the|this|my|you)(?: \w+){0,3} (?:subscription|e-?mail|registration|sign-?up|newsletter"
    r"|request|address|interest|opt-?in|membership)|confirm (?:that )?you (?:want|would like"
    r"|wish)(?: \w+){0,3} (?:subscribe|to receive|join|to be added)|(?:subscription|sign-?up|opt-?in"
    r"|registration) (?:confirmation|needs? (?:to be )?confirm|request|requires)|confirmation (?:is )?(?:required"
    r"|needed|of (?:your )?subscription)|confirm (?:subscription|opt-?in|\d{4,}|[0-9a-f]{20,})"
    r"|confirm to (?:subscribe|be added)|(?:complete|activate|verify|finish|finali[sz]e) your (?:subscription"
    r"|sign-?up)|please confirm your|one (?:last|more|final) (?:step|thing)|double opt-?in"
    r"|confirme[rz] (?:votre|ton|mon|l.)(?: ?\w+){0,3} ?(?:inscription|abonnement|adresse|demande)"
    r"|confirmation d.(?:inscription|abonnement)|confirmation de votre (?:inscription|abonnement|adresse)"
    r"|best[äa]tig\w{1,4}(?: \w+){0,6} (?:anmeldung|abonnement|newsletter|e-?mail-?adresse|registrierung"
    r"|eintragung|adresse)|(?:anmeldung|newsletter-?anmeldung|e-?mail-?adresse|abonnement"
    r"|eintragung)(?: \w+){0,4} (?:zu )?best[äa]tigen|newsletter-?best[äa]tigung|anmeldebest[äa]tigung"
    r"|confirm(?:a|ar|e) (?:tu|su|la|sua|a)(?: \w+){0,2} (?:suscripci|inscripci|inscri[çc]|assinatura|correo"
    r"|direcci|e-?mail|subscri)|conferma(?:re)? (?:la tua |l.|la |il tuo )(?:\w+ )?(?:iscrizione|indirizzo|e-?mail"
    r"|registrazione)"
    r"|bevestig(?: \w+){0,3} (?:aanmelding|inschrijving|e-?mailadres|abonnement)|подтвердите подписку"
)
CONFIRM_TOPIC: Final = re.compile(
    r"subscri|newsletter|mailing[ -]?list|\blist\b|opt-?in|abonn|inscri|anmeld|iscri|suscri|assinatura|nieuwsbrief"
    r"|aanmeld|bolet[ií]n|lettre d.information|подписк|updates"
)
