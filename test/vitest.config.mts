import { defineConfig } from "vitest/config";

// `npm test` runs a sample of these tables, `npm run test:faults` (mode "long") the whole of them and nothing else.
const LONG = ["faults/**/*.test.ts", "simulation/**/*.test.ts", "e2e/{hostile,quorum,resolver,surroundings}.test.ts"];

export default defineConfig(({ mode }) => ({
  cacheDir: "../node_modules/.vite",
  test: {
    root: import.meta.dirname,
    globalSetup: "support/scratch.ts",
    setupFiles: "support/seed.ts",
    include: mode === "long" ? LONG : ["**/*.test.ts"],
    exclude: mode === "long" ? [] : ["faults/years.test.ts"],
    env: { IPCHECK_LONG: mode === "long" ? "1" : "" },
    // Most tests wait for processes, servers and time-outs: more of them run at once than there are processors.
    maxWorkers: 4,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
}));
