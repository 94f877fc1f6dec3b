import { defineConfig } from "vitest/config";

export default defineConfig({
  cacheDir: "../node_modules/.vite",
  test: {
    root: import.meta.dirname,
    globalSetup: "support/scratch.ts",
    include: ["**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
