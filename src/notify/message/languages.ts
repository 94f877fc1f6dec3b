import type { Catalog } from "./catalog";

const TABLES = {
  en: {
    name: "English",
    locale: "en-GB",
    subject: {
      first: () => "is watched from now on",
      change: ({ old }) => `is the new address (was ${old})`,
      changes: ({ count }) => `is the new address (${count})`,
      back: () => "is back, with the same address",
      heartbeat: () => "is well, with the same address",
      test: () => "TEST of a change",
    },
    subjectUnconfirmed: "unconfirmed",
    headline: {
      first: ({ machine }) => `The public address of ${machine} is watched from now on.`,
      change: ({ machine }) => `The public address of ${machine} has changed.`,
      changes: ({ machine, count }) => `The public address of ${machine} has changed several times: ${count}.`,
      back: ({ machine }) => `${machine} is back, and its public address is still the same.`,
      heartbeat: ({ machine }) => `${machine} is well, and its public address is still the same.`,
      test: ({ machine }) => `This is a test: a change of ${machine}’s public address would look like this.`,
    },
    changes: { one: (count) => `${count} change`, other: (count) => `${count} changes` },
    newAddress: (family) => `New address (${family})`,
    currentAddress: (family) => `Address (${family})`,
    oldAddress: "Old address",
    heldFor: (duration) => `held for ${duration}`,
    seenAt: "Seen",
    sinceWhen: "Since",
    confirmedBy: "Confirmed by",
    saidBy: "Said only by",
    unconfirmed: "Nobody could confirm it: only one service could be reached, three times in a row. Take it with care.",
    outageFor: (duration) => `The home had not been able to see its address for ${duration}.`,
    login: "To log in",
    hostKeys: "Host keys",
    hostKeysAdvice: "At the first connection ssh shows a fingerprint. Say yes only if it is one of these.",
    allChanges: "All that happened since the last mail",
    foldedChanges: (count) => `${count} in between`,
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
      first: () => "est désormais surveillée",
      change: ({ old }) => `est la nouvelle adresse (avant ${old})`,
      changes: ({ count }) => `est la nouvelle adresse (${count})`,
      back: () => "est de retour, même adresse",
      heartbeat: () => "va bien, même adresse",
      test: () => "ESSAI d’un changement",
    },
    subjectUnconfirmed: "non confirmée",
    headline: {
      first: ({ machine }) => `L’adresse publique de ${machine} est désormais surveillée.`,
      change: ({ machine }) => `L’adresse publique de ${machine} a changé.`,
      changes: ({ machine, count }) => `L’adresse publique de ${machine} a changé plusieurs fois\u00a0: ${count}.`,
      back: ({ machine }) => `${machine} est de retour, et son adresse publique est restée la même.`,
      heartbeat: ({ machine }) => `${machine} va bien, et son adresse publique est restée la même.`,
      test: ({ machine }) =>
        `Ceci est un essai\u00a0: voici comment s’annoncerait un changement d’adresse de ${machine}.`,
    },
    changes: {
      one: (count) => `${count} changement`,
      many: (count) => `${count} de changements`,
      other: (count) => `${count} changements`,
    },
    newAddress: (family) => `Nouvelle adresse (${family})`,
    currentAddress: (family) => `Adresse (${family})`,
    oldAddress: "Ancienne adresse",
    heldFor: (duration) => `restée ${duration}`,
    seenAt: "Constaté",
    sinceWhen: "Depuis",
    confirmedBy: "Confirmé par",
    saidBy: "Annoncé seulement par",
    unconfirmed:
      "Personne n’a pu la confirmer\u00a0: un seul service a répondu, trois fois de suite. À prendre avec prudence.",
    outageFor: (duration) => `La maison n’avait pas pu voir son adresse pendant ${duration}.`,
    login: "Pour se connecter",
    hostKeys: "Clés de la machine",
    hostKeysAdvice:
      "À la première connexion, ssh affiche une empreinte. Ne répondez «\u00a0yes\u00a0» que si c’est l’une de celles-ci.",
    allChanges: "Tout ce qui s’est passé depuis le dernier message",
    foldedChanges: (count) => `${count} entre-temps`,
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
