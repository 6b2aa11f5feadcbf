// All hits as a file. What breaks off goes on behind the last whole row; the file is kept in pieces that the browser may lay on its disk.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

import { request } from "../shared/config.ts";
import { type Model, OWN_ZONE } from "./model.ts";
import { Rows } from "./rows.ts";
import { toExport, type Wanted } from "./wanted.ts";
import { many, t } from "../shared/tongue.ts";

type Form = "ndjson" | "csv";
const TYPES: Readonly<Record<Form, string>> = { ndjson: "application/x-ndjson", csv: "text/csv" };
const PIECE = 4_000_000;
const TRIES = 6;
const WAIT_MS = 200;
const TELL_MS = 250;

export function Exporting({ model, total }: { model: Model; total: number }) {
  const running = useRef<AbortController | null>(null);
  const busy = useSignal(false);
  const said = useSignal("");
  const problem = useSignal("");
  const start = async (form: Form) => {
    const control = new AbortController();
    running.current = control;
    [busy.value, said.value, problem.value] = [true, t("Exporting…"), ""];
    try {
      let toldAt = 0;
      const { file, rows } = await exported(model.wanted.value, form, control.signal, (count) => {
        if (performance.now() - toldAt < TELL_MS) return;
        toldAt = performance.now();
        said.value = many(count, "{n} row of about {total}", "{n} rows of about {total}", { total: total.toLocaleString("en") });
      });
      save(file, `search-${new Date().toISOString().slice(0, 16).replace(":", "")}.${form}`);
      said.value = many(rows, "{n} row saved.", "{n} rows saved.");
    } catch (error) {
      said.value = control.signal.aborted ? t("Called off; nothing was saved.") : "";
      if (!control.signal.aborted) problem.value = error instanceof Error ? error.message : t("The export failed.");
    } finally {
      busy.value = false;
    }
  };
  return (
    <div class="exporting">
      {busy.value ? <button type="button" class="button plain small" onClick={() => running.current?.abort()}>{t("Call it off")}</button> : (
        <>
          <button type="button" class="button plain small" id="export-csv" disabled={total === 0} onClick={() => void start("csv")}>{t("Export CSV")}</button>
          <button type="button" class="button plain small" id="export-ndjson" disabled={total === 0} onClick={() => void start("ndjson")}>{t("NDJSON")}</button>
        </>
      )}
      <span class="said" role="status">{said.value}</span>
      {problem.value && <span class="said bad" role="alert">{problem.value}</span>}
    </div>
  );
}

async function exported(wanted: Wanted, form: Form, signal: AbortSignal, tell: (rows: number) => void): Promise<{ file: Blob; rows: number }> {
  const pieces: Blob[] = [];
  const rows = new Rows(form);
  let text = "";
  for (let failed = 0; ; ) {
    const before = rows.count;
    try {
      const { body } = await request(`/v1/search?${toExport(wanted, OWN_ZONE, form, rows.cursor).toString()}`, { signal });
      const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
        text += rows.take(part.value);
        if (text.length > PIECE) [text, pieces[pieces.length]] = ["", new Blob([text])];
        tell(rows.count);
      }
      return { file: new Blob([...pieces, text], { type: TYPES[form] }), rows: rows.count };
    } catch (error) {
      failed = rows.count > before ? 1 : failed + 1;
      if (signal.aborted || failed >= TRIES || rows.count === 0) throw error;
      rows.again();
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS * 2 ** failed));
    }
  }
}

function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
