const TABLES = {
  en: {
    name: "English",
    locale: "en-GB",
    subject: {
      first: { lead: "address", brief: "", note: () => "watched from now on" },
      change: { lead: "new address", brief: "now", note: ({ old }) => old },
      changes: { lead: "new address", brief: "now", note: ({ old, count }) => (old ? `${old}, ${count}` : count) },
      returned: { lead: "back to", brief: "again", note: ({ count }) => count },
      back: { lead: "back, still", brief: "still", note: () => "after an outage" },
      interrupted: { lead: "still", brief: "still", note: ({ count }) => count },
      heartbeat: { lead: "all well, still", brief: "still", note: () => "" },
      test: { lead: "test, address", brief: "test,", note: () => "" },
    },
    was: (old) => `was ${old}`,
    subjectUnconfirmed: "unconfirmed",
    headline: {
      first: ({ machine }) => `The public address of ${machine} is watched from now on.`,
      change: ({ machine, family }) => `The public${family} address of ${machine} has changed.`,
      changes: ({ machine, family, count }) =>
        `The public${family} address of ${machine} has changed several times: ${count}.`,
      returned: ({ machine, family, count }) =>
        `The public${family} address of ${machine} has changed and is the same again: ${count}.`,
      back: ({ machine }) => `${machine} is back, and its public address is still the same.`,
      interrupted: ({ machine, count }) => `${machine} was ${count}, and its public address is still the same.`,
      heartbeat: ({ machine }) => `${machine} is well, and its public address is still the same.`,
      test: ({ machine }) => `This is a test: a change of ${machine}’s public address would look like this.`,
    },
    changes: { one: (count) => `${count} change`, other: (count) => `${count} changes` },
    outages: (count) => `cut off ${count} times`,
    newAddress: (family) => `New address (${family})`,
    currentAddress: (family) => `Address (${family})`,
    oldAddress: "Old address",
    heldFor: (duration) => `held for ${duration}`,
    unknownTime: "at an unknown time (the clock was wrong)",
    seenAt: "Seen",
    sinceWhen: "Since",
    confirmedBy: "Confirmed by",
    saidBy: "Said only by",
    unwritable: {
      full: "The disk is full, so this could not be recorded.",
      "read-only": "The card or disk is read-only, so this could not be recorded: it may be worn out.",
      unreadable: "What was recorded cannot be read: the card or disk may be worn out.",
      other: "Nothing can be written to the state folder, so this could not be recorded.",
    },
    repeated: "This mail will be repeated once a day until that is mended.",
    unconfirmed: (address) =>
      `Nobody could confirm ${address}: only one service could be reached, for at least two hours. Take it with care.`,
    reachable: ({ address, port }) => `From outside, port ${port} answers at ${address}.`,
    unreachable: ({ address, port }) =>
      `From outside, port ${port} does not answer at ${address}: look at the router’s port forwarding.`,
    restarted: (duration) => `This machine started ${duration} ago: probably a power cut.`,
    outage: ({ family, duration, range }) => `The ${family} address could not be seen for ${duration}${range}.`,
    unwatched: ({ duration, range }) =>
      `No check was made for ${duration}${range}: the machine was off, or its schedule did not run.`,
    unknownDuration: "an unknown time",
    severalOutages: (outages) => `It was ${outages}.`,
    outagesExplained: "Each time the machine was off, or it could reach no service, or too few of them to be sure.",
    late: ({ duration, reason }) => `This mail comes ${duration} late: ${reason}.`,
    login: "To log in",
    hostKeys: "Host keys",
    hostKeysAdvice: "At the first connection ssh shows a fingerprint. Say yes only if it is one of these.",
    allChanges: "All that happened since the last mail",
    foldedChanges: (count) => `${count} in between`,
    afterOutage: (duration) => `cut off before for ${duration}`,
    afterPause: (duration) => `no check before for ${duration}`,
    afterOutages: (outages) => `${outages}, this was the last`,
    lately: "Lately",
    untilNow: "now",
    why: ({ host, version }) => `ipcheck ${version} on ${host} wrote this because IPCHECK_TO there names you.`,
    stop: "To stop it, take your address out of IPCHECK_TO, or run ‘ipcheck schedule remove’ there.",
    colon: ": ",
  },

  // French typography: a no-break space (U+00A0) before a colon and inside guillemets.
  fr: {
    name: "français",
    locale: "fr-FR",
    subject: {
      first: { lead: "adresse", brief: "", note: () => "désormais surveillée" },
      change: { lead: "nouvelle adresse", brief: "désormais", note: ({ old }) => old },
      changes: {
        lead: "nouvelle adresse",
        brief: "désormais",
        note: ({ old, count }) => (old ? `${old}, ${count}` : count),
      },
      returned: { lead: "de nouveau", brief: "encore", note: ({ count }) => count },
      back: { lead: "de retour, toujours", brief: "toujours", note: () => "après une coupure" },
      interrupted: { lead: "toujours", brief: "toujours", note: ({ count }) => count },
      heartbeat: { lead: "va bien, toujours", brief: "toujours", note: () => "" },
      test: { lead: "essai, adresse", brief: "essai,", note: () => "" },
    },
    was: (old) => `avant ${old}`,
    subjectUnconfirmed: "non confirmée",
    headline: {
      first: ({ machine }) => `L’adresse publique de ${machine} est désormais surveillée.`,
      change: ({ machine, family }) => `L’adresse publique${family} de ${machine} a changé.`,
      changes: ({ machine, family, count }) =>
        `L’adresse publique${family} de ${machine} a changé plusieurs fois\u00a0: ${count}.`,
      returned: ({ machine, family, count }) =>
        `L’adresse publique${family} de ${machine} a changé, puis est redevenue la même\u00a0: ${count}.`,
      back: ({ machine }) => `${machine} est de retour, et son adresse publique est restée la même.`,
      interrupted: ({ machine, count }) => `${machine} a subi ${count}, et son adresse publique est restée la même.`,
      heartbeat: ({ machine }) => `${machine} va bien, et son adresse publique est restée la même.`,
      test: ({ machine }) =>
        `Ceci est un essai\u00a0: voici comment s’annoncerait un changement d’adresse de ${machine}.`,
    },
    changes: {
      one: (count) => `${count} changement`,
      many: (count) => `${count} de changements`,
      other: (count) => `${count} changements`,
    },
    outages: (count) => `${count} coupures`,
    newAddress: (family) => `Nouvelle adresse (${family})`,
    currentAddress: (family) => `Adresse (${family})`,
    oldAddress: "Ancienne adresse",
    heldFor: (duration) => `conservée ${duration}`,
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
    unconfirmed: (address) =>
      `Personne n’a pu confirmer ${address}\u00a0: un seul service a répondu, pendant au moins deux heures. À prendre avec prudence.`,
    reachable: ({ address, port }) => `De l’extérieur, le port ${port} répond à l’adresse ${address}.`,
    unreachable: ({ address, port }) =>
      `De l’extérieur, le port ${port} ne répond pas à l’adresse ${address}\u00a0: vérifiez la redirection de port sur la box.`,
    restarted: (duration) => `Cette machine a démarré il y a ${duration}\u00a0: sans doute une coupure de courant.`,
    outage: ({ family, duration, range }) => `L’adresse ${family} n’a pas pu être vue pendant ${duration}${range}.`,
    unwatched: ({ duration, range }) =>
      `Aucun contrôle n’a eu lieu pendant ${duration}${range}\u00a0: la machine était éteinte, ou sa planification ne tournait pas.`,
    unknownDuration: "un temps inconnu",
    severalOutages: (outages) => `Il y a eu ${outages}.`,
    outagesExplained:
      "À chaque fois, la machine était éteinte, ou aucun service n’a répondu, ou trop peu pour en être sûr.",
    late: ({ duration, reason }) => `Ce message arrive avec ${duration} de retard\u00a0: ${reason}.`,
    login: "Pour se connecter",
    hostKeys: "Clés de la machine",
    hostKeysAdvice:
      "À la première connexion, ssh affiche une empreinte. Ne répondez «\u00a0yes\u00a0» que si c’est l’une de celles-ci.",
    allChanges: "Tout ce qui s’est passé depuis le dernier message",
    foldedChanges: (count) => `${count} entre-temps`,
    afterOutage: (duration) => `après une coupure de ${duration}`,
    afterPause: (duration) => `après ${duration} sans contrôle`,
    afterOutages: (outages) => `${outages}, celle-ci était la dernière`,
    lately: "Dernièrement",
    untilNow: "maintenant",
    why: ({ host, version }) =>
      `ipcheck ${version} sur ${host} a écrit ce message parce que IPCHECK_TO y contient votre adresse.`,
    stop: "Pour l’arrêter, retirez votre adresse de IPCHECK_TO, ou lancez-y «\u00a0ipcheck schedule remove\u00a0».",
    colon: "\u00a0: ",
  },
} satisfies Record<string, Catalog>;

/** The value of `IPCHECK_LANG`. */
export type Language = keyof typeof TABLES;

/** The texts of the mails; a language is one entry in the table above. */
export const CATALOGS: Record<Language, Catalog> = TABLES;

export const LANGUAGES = Object.keys(TABLES) as Language[];

/** What kind of mail it is, which decides its subject, its first sentence and its colour. */
export type MessageKind =
  | "first"
  | "change"
  /** Several changes. */
  | "changes"
  /** Several changes, after which the address is the one that was told last. */
  | "returned"
  | "back"
  /** Several outages without a change. */
  | "interrupted"
  | "heartbeat"
  | "test";

/** Why what is told could not be recorded. */
export type Unwritable = "full" | "read-only" | "unreadable" | "other";

/** Every text of the mails in one language. Values arrive ready to be shown; markup is added elsewhere. */
export interface Catalog {
  /** What the language calls itself. */
  name: string;
  /** BCP 47, for Intl. */
  locale: string;
  /** 'Home: [lead] 203.0.113.99 ([note])'. A phone shows 35 to 40 characters: `brief` stands in for a lead that is too long. */
  subject: Record<
    MessageKind,
    { lead: string; brief: string; note: (facts: { old: string; count: string }) => string }
  >;
  was: (old: string) => string;
  subjectUnconfirmed: string;
  /** `family` is empty or ' IPv6', with the space before it. */
  headline: Record<MessageKind, (facts: { machine: string; count: string; family: string }) => string>;
  /** Counts changes in words, by Intl's plural rules. */
  changes: Partial<Record<Intl.LDMLPluralRule, (count: string) => string>>;
  /** How often it was cut off: twice or more. */
  outages: (count: string) => string;
  newAddress: (family: string) => string;
  currentAddress: (family: string) => string;
  oldAddress: string;
  heldFor: (duration: string) => string;
  /** In place of a time that a wrong clock recorded. */
  unknownTime: string;
  seenAt: string;
  sinceWhen: string;
  confirmedBy: string;
  /** Instead, where one vote had to do. */
  saidBy: string;
  unwritable: Record<Unwritable, string>;
  /** Follows each of those. */
  repeated: string;
  unconfirmed: (address: string) => string;
  reachable: (facts: { address: string; port: string }) => string;
  unreachable: (facts: { address: string; port: string }) => string;
  restarted: (duration: string) => string;
  /** `range` is empty or its two ends in parentheses, with a space before them. */
  outage: (facts: { family: string; duration: string; range: string }) => string;
  unwatched: (facts: { duration: string; range: string }) => string;
  /** In place of a duration that cannot be known. */
  unknownDuration: string;
  severalOutages: (outages: string) => string;
  outagesExplained: string;
  late: (facts: { duration: string; reason: string }) => string;
  login: string;
  hostKeys: string;
  hostKeysAdvice: string;
  allChanges: string;
  foldedChanges: (count: string) => string;
  afterOutage: (duration: string) => string;
  afterPause: (duration: string) => string;
  afterOutages: (outages: string) => string;
  lately: string;
  /** The bar of the address in use. */
  untilNow: string;
  why: (facts: { host: string; version: string }) => string;
  stop: string;
  /** Between a label and its value: French puts a space before the colon. */
  colon: string;
}
