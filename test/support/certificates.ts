import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "selfsigned";

const DAY_MS = 86_400_000;

export interface ServerCertificate {
  key: string;
  cert: string;
}

export interface CertificateOptions {
  /** Names and addresses it is made out to. @default localhost, 127.0.0.1, ::1 */
  names?: readonly string[];
  notBefore?: Date;
  notAfter?: Date;
}

/** An authority of a test's own; give `caFile` to a run as NODE_EXTRA_CA_CERTS. */
export interface Authority {
  caFile: string;
  issue(options?: CertificateOptions): Promise<ServerCertificate>;
}

export async function makeAuthority(directory: string, name = "ipcheck test authority"): Promise<Authority> {
  const ca = await generate([{ name: "commonName", value: name }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: new Date(0),
    notAfterDate: new Date("2099-01-01"),
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const caFile = join(directory, "ca.pem");
  writeFileSync(caFile, ca.cert);
  return {
    caFile,
    async issue({ names = ["localhost", "127.0.0.1", "::1"], notBefore, notAfter } = {}) {
      const issued = await generate([{ name: "commonName", value: names[0] ?? "localhost" }], {
        keyType: "ec",
        algorithm: "sha256",
        ca: { key: ca.private, cert: ca.cert },
        notBeforeDate: notBefore ?? new Date(Date.now() - 30 * DAY_MS),
        notAfterDate: notAfter ?? new Date(Date.now() + 30 * DAY_MS),
        extensions: [
          { name: "basicConstraints", cA: false },
          {
            name: "subjectAltName",
            altNames: names.map((name) =>
              /^[\d.]+$|:/.test(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name },
            ),
          },
        ],
      });
      return { key: issued.private, cert: issued.cert };
    },
  };
}
