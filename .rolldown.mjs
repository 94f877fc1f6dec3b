// Bundles src into dist: one file for what every run needs, further ones for what only some need. On
// the way of a quiet check, reading forty small files cost more than all the code in them.
import { readFileSync } from "node:fs";
import { defineConfig } from "rolldown";

const shared = {
  platform: "node",
  // Loaded from beside us, where they are needed. dotenv is needed by every run: finding a package
  // costs more than reading an env file, so its code is taken in and its licence goes along.
  external: [/^@clack\/prompts/, /^commander/, /^nodemailer/],
};

const dotenvLicense = {
  name: "dotenv-license",
  generateBundle() {
    const source = readFileSync(new URL("node_modules/dotenv/LICENSE", import.meta.url));
    this.emitFile({ type: "asset", fileName: "dotenv.LICENSE", source });
  },
};

export default defineConfig([
  {
    ...shared,
    input: "src/main.ts",
    preserveEntrySignatures: "allow-extension",
    plugins: [dotenvLicense],
    output: {
      dir: "dist",
      format: "cjs",
      cleanDir: true,
      chunkFileNames: "[name].js",
      codeSplitting: { groups: [{ name: "main", tags: ["$initial"] }] },
    },
  },
  {
    ...shared,
    input: "src/manual.ts",
    // The commands themselves: nothing is run.
    external: [...shared.external, /^\.\/commands\/.*\.js$/],
    output: { file: "build/manual.cjs", format: "cjs", codeSplitting: false },
  },
]);
