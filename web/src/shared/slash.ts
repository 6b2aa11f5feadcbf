// The key / leads to a page's search, unless somebody writes.

/** Listen for it; what is returned ends that. */
export function onSlash(search: () => void): () => void {
  const onKey = (event: KeyboardEvent) => {
    const writing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
    if (event.key !== "/" || writing || event.metaKey || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    search();
  };
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}
