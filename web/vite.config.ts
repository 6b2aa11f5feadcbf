// Builds the pages into gateway/dist, where the gateway has them in a checkout and in a wheel alike: static files, with no
// script or style inside the HTML.

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";

import { words } from "./vite.words.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** Each HTML file of this folder is a page. */
const pages = readdirSync(here(".")).filter((name) => name.endsWith(".html"));
const tag = (name: string, attrs: Record<string, string>) => ({ tag: name, attrs, injectTo: "head-prepend" as const });

/** What all pages have in their HTML. */
const frame: Plugin = {
  name: "frame",
  transformIndexHtml: {
    order: "pre",
    handler: () => [
      tag("meta", { charset: "utf-8" }),
      tag("meta", { name: "viewport", content: "width=device-width, initial-scale=1, viewport-fit=cover" }),
      tag("meta", { name: "color-scheme", content: "light dark" }),
      tag("link", { rel: "icon", href: "/src/shared/flag.svg", type: "image/svg+xml" }),
      { tag: "div", attrs: { id: "app" }, injectTo: "body" },
      { tag: "noscript", children: "This page shows what is live, and needs JavaScript for it.", injectTo: "body" },
    ],
  },
};

export default defineConfig({
  root: here("."),
  plugins: [frame, words(here("src"))],
  resolve: { alias: { "@touchline/client": here("../clients/js/src/index.ts") } },
  build: {
    outDir: here("../gateway/dist"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // What every page has is one file, and not one for each way in which some share it.
      output: { codeSplitting: { groups: [{ name: "all", test: /node_modules.@?preact|vite.preload-helper|(shared|js.src).(config|generated|theme|times|tongue)\./ }] } },
      input: Object.fromEntries(pages.map((name) => [name.slice(0, -".html".length), here(name)])),
    },
  },
  test: { include: ["tests/*.test.ts"] },
});
