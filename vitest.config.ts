import { defineConfig } from "vitest/config"

// Tests run on the sources ("pfnscope-source"), so that a stale build can never pass them.
export default defineConfig({
  resolve: { conditions: ["pfnscope-source"] },
  ssr: { resolve: { conditions: ["pfnscope-source"], externalConditions: ["pfnscope-source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts", "test/**/*.test.ts", "examples/**/*.test.ts"],
    setupFiles: ["./test/node-version.ts"],
    testTimeout: 60_000,
    // On two cores Vitest would leave one to itself, and the suite would take twice as long.
    maxWorkers: "100%"
  }
})
