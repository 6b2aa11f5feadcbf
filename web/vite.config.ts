// Builds the two pages into gateway/dist, where the gateway has them in a checkout and in a wheel alike: static files, with no
// script or style inside the HTML.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  resolve: { alias: { "@touchline/client": here("../clients/js/src/index.ts") } },
  build: {
    outDir: here("../gateway/dist"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: { index: here("index.html"), ops: here("ops.html") } },
  },
  test: { include: ["tests/*.test.ts"] },
});
