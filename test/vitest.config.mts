import { defineConfig } from "vitest/config";

export default defineConfig({
  cacheDir: "../node_modules/.vite",
  test: {
    root: import.meta.dirname,
    globalSetup: "support/scratch.ts",
    include: ["**/*.test.ts"],
    // Two thousand simulated years take minutes: only for who asks for faults.
    exclude: process.argv.includes("faults") ? [] : ["faults/years.test.ts"],
    // Hundreds of real processes and servers: on a busy machine one may come too late once. A fault comes again.
    retry: process.env["CI"] ? 1 : 0,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
