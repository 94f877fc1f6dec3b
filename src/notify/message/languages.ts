// Texts with values in braces, filled in by `fill`. They arrive ready to be shown; markup is added elsewhere.

const ENGLISH = {
  /** What the language calls itself. */
  name: "English",
  /** BCP 47, for Intl. */
  locale: "en-GB",
  /** 'Home: [lead] 203.0.113.99 ([notes])'. A phone shows 35 to 40 characters: `brief` stands in for a lead that is too long. */
  subject: {
    first: { lead: "address", brief: "", notes: ["watched from now on"] },
    change: { lead: "new address", brief: "now", notes: ["{old}"] },
    // Several changes.
    changes: { lead: "new address", brief: "now", notes: ["{old}", "{count}"] },
    // Several changes, after which the address is the one that was told last.
    returned: { lead: "back to", brief: "again", notes: ["{count}"] },
    back: { lead: "back, still", brief: "still", notes: ["after an outage"] },
    // Several outages without a change.
    interrupted: { lead: "still", brief: "still", notes: ["{count}"] },
    heartbeat: { lead: "all well, still", brief: "still" },
    test: { lead: "test, address", brief: "test," },
  },
  was: "was {old}",
  subjectUnconfirmed: "unconfirmed",
  /** `{family}` is empty or ' IPv6', with the space before it. */
  headline: {
    first: "The public address of {machine} is watched from now on.",
    change: "The public{family} address of {machine} has changed.",
    changes: "The public{family} address of {machine} has changed several times: {count}.",
    returned: "The public{family} address of {machine} has changed and is the same again: {count}.",
    back: "{machine} is back, and its public address is still the same.",
    interrupted: "{machine} was {count}, and its public address is still the same.",
    heartbeat: "{machine} is well, and its public address is still the same.",
    test: "This is a test: a change of {machine}’s public address would look like this.",
  },
  /** Counts changes in words, by Intl's plural rules. */
  changes: { one: "{count} change", other: "{count} changes" } as PluralForms,
  /** How often it was cut off: twice or more. */
  outages: "cut off {count} times",
  newAddress: "New address ({family})",
  currentAddress: "Address ({family})",
  oldAddress: "Old address",
  heldFor: "held for {duration}",
  /** In place of a time that a wrong clock recorded. */
  unknownTime: "at an unknown time (the clock was wrong)",
  seenAt: "Seen",
  sinceWhen: "Since",
  confirmedBy: "Confirmed by",
  /** Instead, where one vote had to do. */
  saidBy: "Said only by",
  /** Why what is told could not be recorded. */
  unwritable: {
    full: "The disk is full, so this could not be recorded.",
    "read-only": "The card or disk is read-only, so this could not be recorded: it may be worn out.",
    unreadable: "What was recorded cannot be read: the card or disk may be worn out.",
    other: "Nothing can be written to the state folder, so this could not be recorded.",
  },
  /** Follows each of those. */
  repeated: "This mail will be repeated once a day until that is mended.",
  unconfirmed:
    "Nobody could confirm {address}: only one service could be reached, for at least two hours. Take it with care.",
  /** In a test, where no service could be asked. */
  standIn: "No address could be seen just now: {address} stands in for it.",
  reachable: "From outside, port {port} answers at {address}.",
  unreachable: "From outside, port {port} does not answer at {address}: look at the router’s port forwarding.",
  restarted: "This machine started {duration} ago: probably a power cut.",
  /** `{range}` is empty or its two ends in parentheses, with a space before them. */
  outage: "The {family} address could not be seen for {duration}{range}.",
  unwatched: "No check was made for {duration}{range}: the machine was off, or its schedule did not run.",
  /** In place of a duration that cannot be known. */
  unknownDuration: "an unknown time",
  severalOutages: "It was {outages}.",
  outagesExplained: "Each time the machine was off, or it could reach no service, or too few of them to be sure.",
  late: "This mail comes {duration} late: {reason}.",
  login: "To log in",
  hostKeys: "Host keys",
  hostKeysAdvice: "At the first connection ssh shows a fingerprint. Say yes only if it is one of these.",
  allChanges: "All that happened since the last mail",
  foldedChanges: "{count} in between",
  afterOutage: "cut off before for {duration}",
  afterPause: "no check before for {duration}",
  afterOutages: "{outages}, this was the last",
  lately: "Lately",
  /** The bar of the address in use. */
  untilNow: "now",
  why: "ipcheck {version} on {host} wrote this because IPCHECK_TO there names you.",
  stop: "To stop it, take your address out of IPCHECK_TO, or run ‘ipcheck schedule remove’ there.",
  /** Between a label and its value: French puts a space before the colon. */
  colon: ": ",
};

// French typography: a no-break space (U+00A0) before a colon and inside guillemets.
const FRENCH: Catalog = {
  name: "français",
  locale: "fr-FR",
  subject: {
    first: { lead: "adresse", brief: "", notes: ["désormais surveillée"] },
    change: { lead: "nouvelle adresse", brief: "désormais", notes: ["{old}"] },
    changes: { lead: "nouvelle adresse", brief: "désormais", notes: ["{old}", "{count}"] },
    returned: { lead: "de nouveau", brief: "encore", notes: ["{count}"] },
    back: { lead: "de retour, toujours", brief: "toujours", notes: ["après une coupure"] },
    interrupted: { lead: "toujours", brief: "toujours", notes: ["{count}"] },
    heartbeat: { lead: "va bien, toujours", brief: "toujours" },
    test: { lead: "essai, adresse", brief: "essai," },
  },
  was: "avant {old}",
  subjectUnconfirmed: "non confirmée",
  headline: {
    first: "L’adresse publique de {machine} est désormais surveillée.",
    change: "L’adresse publique{family} de {machine} a changé.",
    changes: "L’adresse publique{family} de {machine} a changé plusieurs fois\u00a0: {count}.",
    returned: "L’adresse publique{family} de {machine} a changé, puis est redevenue la même\u00a0: {count}.",
    back: "{machine} est de retour, et son adresse publique est restée la même.",
    interrupted: "{machine} a subi {count}, et son adresse publique est restée la même.",
    heartbeat: "{machine} va bien, et son adresse publique est restée la même.",
    test: "Ceci est un essai\u00a0: voici comment s’annoncerait un changement d’adresse de {machine}.",
  },
  changes: { one: "{count} changement", many: "{count} de changements", other: "{count} changements" },
  outages: "{count} coupures",
  newAddress: "Nouvelle adresse ({family})",
  currentAddress: "Adresse ({family})",
  oldAddress: "Ancienne adresse",
  heldFor: "conservée {duration}",
  unknownTime: "à un moment inconnu (l’horloge était fausse)",
  seenAt: "Constaté",
  sinceWhen: "Depuis",
  confirmedBy: "Confirmé par",
  saidBy: "Annoncé seulement par",
  unwritable: {
    full: "Le disque est plein\u00a0: ceci n’a pas pu être enregistré.",
    "read-only":
      "La carte ou le disque est en lecture seule\u00a0: ceci n’a pas pu être enregistré. Le support est peut-être usé.",
    unreadable: "Ce qui était enregistré ne peut plus être lu\u00a0: la carte ou le disque est peut-être usé.",
    other: "Rien ne peut être écrit dans le dossier d’état\u00a0: ceci n’a pas pu être enregistré.",
  },
  repeated: "Ce message sera répété une fois par jour jusqu’à la réparation.",
  unconfirmed:
    "Personne n’a pu confirmer {address}\u00a0: un seul service a répondu, pendant au moins deux heures. À prendre avec prudence.",
  standIn: "Aucune adresse n’a pu être vue à l’instant\u00a0: {address} en tient lieu.",
  reachable: "De l’extérieur, le port {port} répond à l’adresse {address}.",
  unreachable:
    "De l’extérieur, le port {port} ne répond pas à l’adresse {address}\u00a0: vérifiez la redirection de port sur la box.",
  restarted: "Cette machine a démarré il y a {duration}\u00a0: sans doute une coupure de courant.",
  outage: "L’adresse {family} n’a pas pu être vue pendant {duration}{range}.",
  unwatched:
    "Aucun contrôle n’a eu lieu pendant {duration}{range}\u00a0: la machine était éteinte, ou sa planification ne tournait pas.",
  unknownDuration: "un temps inconnu",
  severalOutages: "Il y a eu {outages}.",
  outagesExplained:
    "À chaque fois, la machine était éteinte, ou aucun service n’a répondu, ou trop peu pour en être sûr.",
  late: "Ce message arrive avec {duration} de retard\u00a0: {reason}.",
  login: "Pour se connecter",
  hostKeys: "Clés de la machine",
  hostKeysAdvice:
    "À la première connexion, ssh affiche une empreinte. Ne répondez «\u00a0yes\u00a0» que si c’est l’une de celles-ci.",
  allChanges: "Tout ce qui s’est passé depuis le dernier message",
  foldedChanges: "{count} entre-temps",
  afterOutage: "après une coupure de {duration}",
  afterPause: "après {duration} sans contrôle",
  afterOutages: "{outages}, celle-ci était la dernière",
  lately: "Dernièrement",
  untilNow: "maintenant",
  why: "ipcheck {version} sur {host} a écrit ce message parce que IPCHECK_TO y contient votre adresse.",
  stop: "Pour l’arrêter, retirez votre adresse de IPCHECK_TO, ou lancez-y «\u00a0ipcheck schedule remove\u00a0».",
  colon: "\u00a0: ",
};

/** The texts of the mails; a language is one entry here and its table above. */
export const CATALOGS = { en: ENGLISH, fr: FRENCH };

/** The value of `IPCHECK_LANG`. */
export type Language = keyof typeof CATALOGS;

export const LANGUAGES = Object.keys(CATALOGS) as Language[];

/** Every text of the mails in one language. */
export type Catalog = typeof ENGLISH;

type PluralForms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** What kind of mail it is, which decides its subject, its first sentence and its colour. */
export type MessageKind = keyof Catalog["subject"];

/** Why what is told could not be recorded. */
export type Unwritable = keyof Catalog["unwritable"];

/** A text of a catalog with its values in place. */
export function fill(text: string, values: Record<string, string>): string {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
