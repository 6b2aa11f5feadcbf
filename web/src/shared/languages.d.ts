// Made while the pages are built: web/vite.words.ts.

declare module "words:here" {
  const files: import("./tongue.ts").Files;
  export default files;
}
