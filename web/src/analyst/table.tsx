// The hits as a table with the columns that one chooses; each row opens in its context.

import type { Found, Hit } from "@touchline/client";
import { useSignal } from "@preact/signals";
import { Fragment } from "preact";
import { useRef } from "preact/hooks";

import { pieces } from "../shared/highlight.ts";
import { cell, dataColumns, whenOf } from "./columns.ts";
import { Context } from "./context.tsx";
import { Exporting } from "./exporting.tsx";
import { hitOf, type Model, MOST_ROWS } from "./model.ts";
import { COLUMNS, isColumn, toggled } from "./wanted.ts";
import { t } from "../shared/tongue.ts";

const LONGEST_COLUMN = 100;

export function Table({ model, found }: { model: Model; found: Found }) {
  const body = useRef<HTMLTableSectionElement>(null);
  const reached = useSignal(0);
  const { columns } = model.wanted.value;
  const { hits, next } = found;
  const stop = Math.min(reached.value, hits.length - 1);
  // One stop for all rows; arrows go along them.
  const along = (event: KeyboardEvent) => {
    if (!(event.target as HTMLElement).matches(".open")) return;
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -hits.length, End: hits.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    reached.value = Math.min(Math.max(stop + step, 0), hits.length - 1);
    body.current?.querySelectorAll<HTMLElement>(".open")[reached.value]?.focus();
  };
  return (
    <section class="card found" aria-labelledby="found-title">
      <div class="card-head">
        <h2 id="found-title">{t("Hits")}</h2>
        <Columns model={model} hits={hits} />
        <Exporting model={model} total={found.total} />
      </div>
      <div class="scroller" tabIndex={0} role="region" aria-labelledby="found-title">
        <table class="hits">
          <thead><tr><th scope="col"><span class="sr-only">{t("Its context")}</span></th>{columns.map((name) => <th scope="col" key={name}>{name === "time" ? <Order model={model} /> : name}</th>)}</tr></thead>
          <tbody ref={body} onKeyDown={along}>
            {hits.map((hit, n) => {
              const name = hitOf(hit);
              const open = model.opened.value === name;
              return (
                <Fragment key={name}>
                  <tr class={open ? "row opened" : "row"}>
                    <td><button type="button" class="open" tabIndex={n === stop ? 0 : -1} aria-expanded={open} aria-label={open ? t("Close {stream} {seq} in its context", { stream: hit.event.stream, seq: hit.event.seq }) : t("Show {stream} {seq} in its context", { stream: hit.event.stream, seq: hit.event.seq })} onFocus={() => (reached.value = n)} onClick={() => model.open(name)}><span aria-hidden="true">{open ? "▾" : "▸"}</span></button></td>
                    {columns.map((column) => <td key={column} data-column={column} class={column === "text" || column === "data" ? "long" : ""}><Cell hit={hit} column={column} zone={model.zone} /></td>)}
                  </tr>
                  {open && <tr class="context-row"><td colSpan={columns.length + 1}><Context model={model} stream={hit.event.stream} seq={hit.event.seq} /></td></tr>}
                </Fragment>
              );
            })}
          </tbody>
        </table>
      </div>
      {next && hits.length < MOST_ROWS && <button type="button" class="button plain more" disabled={model.busy.value} onClick={() => void model.more()}>{t("More hits")}</button>}
      {next && hits.length >= MOST_ROWS && <p class="quiet">{t("These are the first {n}: narrow the search down, or export all of it.", { n: MOST_ROWS.toLocaleString("en") })}</p>}
    </section>
  );
}

function Cell({ hit, column, zone }: { hit: Hit; column: string; zone: string }) {
  if (column === "time") {
    const { short, full } = whenOf(hit.event.server_ts, zone);
    return <time dateTime={hit.event.server_ts} title={full}>{short}</time>;
  }
  if (column === "text" && hit.highlight) return <span dir="auto">{pieces(hit.highlight).map(({ text, marked }, n) => (marked ? <mark key={n}>{text}</mark> : text))}</span>;
  return <bdi>{cell(hit, column)}</bdi>;
}

/** Pressed, the other end of time comes first. */
function Order({ model }: { model: Model }) {
  const { q, sort } = model.wanted.value;
  const newest = sort === "newest" || (sort === "" && q === "");
  const says = sort === "oldest" ? t("the oldest first") : newest ? t("the newest first") : t("the best first");
  return <button type="button" class="order" aria-label={t("time, {says}; change the order", { says })} onClick={() => model.want({ sort: newest ? "oldest" : "newest" })}>{t("time")} <span aria-hidden="true">{sort === "oldest" ? "↑" : newest ? "↓" : "↕"}</span></button>;
}

function Columns({ model, hits }: { model: Model; hits: readonly Hit[] }) {
  const other = useSignal("");
  const open = useSignal(false);
  const { columns } = model.wanted.value;
  const known = [...new Set([...COLUMNS, ...columns, ...(open.value ? dataColumns(hits) : [])])];
  const add = (event: Event) => {
    event.preventDefault();
    const typed = other.value.trim();
    const name = isColumn(typed) ? typed : `data.${typed}`;
    if (!typed || !isColumn(name) || columns.includes(name)) return;
    model.show([...columns, name]);
    other.value = "";
  };
  return (
    <details class="columns" open={open.value} onToggle={(event) => (open.value = event.currentTarget.open)}>
      <summary>{t("Columns")}</summary>
      <div class="popover" onKeyDown={(event) => { if (event.key === "Escape") { open.value = false; event.currentTarget.parentElement?.querySelector("summary")?.focus(); } }}>
        <ul>{known.map((name) => <li key={name}><label class="check"><input type="checkbox" checked={columns.includes(name)} onChange={() => model.show(toggled(columns, name))} /> {name}</label></li>)}</ul>
        <form class="row" onSubmit={add}>
          <label class="sr-only" for="column">{t("Another column of data")}</label>
          <input class="field" id="column" placeholder="data.minute" value={other.value} maxLength={LONGEST_COLUMN} autocomplete="off" spellcheck={false} onInput={(event) => (other.value = event.currentTarget.value)} />
          <button class="button plain" type="submit">{t("Add")}</button>
        </form>
      </div>
    </details>
  );
}
