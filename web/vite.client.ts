// Builds @touchline/client into one file, gateway/dist/client.js: a page takes it from the gateway, and needs no npm.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  build: {
    outDir: here("../gateway/dist"),
    emptyOutDir: false,
    target: "es2022",
    minify: true,
    lib: { entry: here("../clients/js/src/index.ts"), formats: ["es"], fileName: () => "client.js" },
  },
});
