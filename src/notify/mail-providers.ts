import wellKnown from "nodemailer/lib/well-known";
import { findOwnProvider, type MailProvider, withNote } from "./providers";

/** The provider of a mail address, by its domain; undefined where no table knows it. */
export function findProvider(address: string): MailProvider | undefined {
  const own = findOwnProvider(address);
  if (own) return own;
  const known = wellKnown(address);
  if (!known || known.host === undefined) return undefined;
  const isGmail = known.host === "smtp.gmail.com";
  const port = isGmail ? 587 : Number(known.port ?? 587);
  return withNote({
    name: known.description ?? known.host,
    host: known.host,
    port,
    security: known.secure && !isGmail ? "tls" : "starttls",
  });
}
