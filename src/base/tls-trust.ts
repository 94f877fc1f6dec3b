import { createSecureContext, type SecureContext } from "node:tls";

/** To be spread into the options of `tls.connect`, `https.request` and their kind. */
export interface TrustOptions {
  rejectUnauthorized: true;
  secureContext?: SecureContext;
}

/**
 * Certificates are always verified, whatever NODE_TLS_REJECT_UNAUTHORIZED says. `extraCa` (PEM, one or several
 * certificates) is trusted besides the roots that Node.js would use, those of a system store included.
 */
export function trustOptions(extraCa: string | undefined): TrustOptions {
  if (extraCa === undefined) return { rejectUnauthorized: true };
  // The option `ca` would replace the default roots, and Node.js 20 has no call that lists a system's.
  const secureContext = createSecureContext();
  secureContext.context.addCACert(extraCa);
  return { rejectUnauthorized: true, secureContext };
}
