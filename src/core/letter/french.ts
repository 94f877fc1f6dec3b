import type { Words } from "./words";

// French typography: a no-break space (U+00A0) before a colon and inside guillemets.
export const FRENCH: Words = {
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
  blindFor: (duration) => `La maison n’avait pas pu voir son adresse pendant ${duration}.`,
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
};
