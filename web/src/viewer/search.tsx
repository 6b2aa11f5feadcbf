// Search: what was said and shown, with highlights, facets to narrow it down, and when it happened.

import { useSignal, useSignalEffect } from "@preact/signals";
import type { Bucket, Found as Results, StreamEvent, Suggestions } from "@touchline/client";
import { useEffect, useRef } from "preact/hooks";

import { ends, type Span } from "../shared/bars.ts";
import { ask, linkTo, namedUser } from "../shared/config.ts";
import { pieces } from "../shared/highlight.ts";
import { Histogram } from "../shared/histogram.tsx";
import { Name } from "../shared/name.tsx";
import { author } from "../shared/names.ts";
import { clockTime, fullTime } from "../shared/times.ts";
import { entryOf } from "./match.ts";
import type { Room } from "./room.ts";
import { many, t } from "../shared/tongue.ts";

const TYPING_MS = 250;
const SUGGEST_MS = 120;

interface SearchProps {
  readonly room: Room;
  /** The message is in view. */
  readonly onContext: () => void;
  /** It is of another channel's chat, and has to be shown there. */
  readonly onElsewhere: (channel: string, seq: number) => void;
}

export function Search({ room, onContext, onElsewhere }: SearchProps) {
  const asked = new URLSearchParams(location.search);
  const words = useSignal(asked.get("q") ?? "");
  const sort = useSignal(asked.get("sort") ?? "relevance");
  const everywhere = useSignal(asked.has("all"));
  const kind = useSignal(asked.get("kind") ?? "");
  const channel = useSignal(asked.get("in") ?? "");
  const sender = useSignal(asked.get("sender") ?? "");
  const [since, until] = [asked.get("since"), asked.get("until")];
  const span = useSignal<Span | null>(since && until ? { since, until } : null);
  const results = useSignal<Results | null>(null);
  const problem = useSignal("");
  const busy = useSignal(false);
  const running = useRef<AbortController | null>(null);
  const suggested = useSignal<readonly string[]>([]);

  const query = (cursor: string | null = null) => {
    const parameters = new URLSearchParams({ q: words.value.trim(), sort: sort.value, limit: "30", facets: "1" });
    parameters.set("zone", Intl.DateTimeFormat().resolvedOptions().timeZone);
    const only = everywhere.value ? channel.value : room.channel;
    if (only) parameters.set("channel", only);
    if (kind.value) parameters.set("kind", kind.value);
    if (sender.value) parameters.set("sender", sender.value);
    if (span.value) {
      parameters.set("since", span.value.since);
      parameters.set("until", span.value.until);
    }
    if (cursor) parameters.set("cursor", cursor);
    return `/v1/search?${parameters.toString()}`;
  };

  /** The same search where there is more room, and more to do with it. */
  const desk = () => {
    const given = { q: words.value.trim(), channel: everywhere.value ? channel.value : room.channel, kind: kind.value, sender: sender.value, sort: sort.value === "relevance" ? "" : sort.value, since: span.value?.since ?? "", until: span.value?.until ?? "", user: namedUser() };
    return `/search?${new URLSearchParams(Object.entries(given).filter(([, value]) => value !== "")).toString()}`;
  };

  /** The search is in the address: whoever is sent it sees the same. */
  const toAddress = () => {
    const parameters = new URLSearchParams(location.search);
    const given = { q: words.value.trim(), sort: sort.value === "relevance" ? "" : sort.value, all: everywhere.value ? "1" : "", kind: kind.value, in: channel.value, sender: sender.value, since: span.value?.since ?? "", until: span.value?.until ?? "" };
    for (const [name, value] of Object.entries(given)) {
      if (value) parameters.set(name, value);
      else parameters.delete(name);
    }
    const address = parameters.size ? `?${parameters.toString()}` : location.pathname;
    if (address !== location.search) history.replaceState(history.state, "", address);
  };

  const run = async (cursor: string | null = null) => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    busy.value = true;
    try {
      const found = await ask<Results>(query(cursor), { signal: control.signal });
      const before = cursor ? (results.value?.hits ?? []) : [];
      results.value = { ...found, hits: [...before, ...found.hits] };
      problem.value = "";
    } catch (error) {
      if (control.signal.aborted) return;
      problem.value = error instanceof Error ? error.message : t("The search failed.");
    } finally {
      if (running.current === control) busy.value = false;
    }
  };

  useSignalEffect(() => {
    const chosen = [kind.value, channel.value, sender.value].some(Boolean) || span.value !== null;
    const wanted = words.value.trim() !== "" || chosen;
    void [sort.value, everywhere.value];
    const timer = setTimeout(() => {
      toAddress();
      if (wanted) return void run();
      running.current?.abort();
      [results.value, problem.value, busy.value] = [null, "", false];
    }, TYPING_MS);
    return () => clearTimeout(timer);
  });

  useSignalEffect(() => {
    const q = words.value;
    const where: Record<string, string> = everywhere.value ? {} : { channel: room.channel };
    const control = new AbortController();
    const timer = setTimeout(() => {
      if (!q.trim() || document.activeElement?.id !== "q") return void (suggested.value = []);
      ask<Suggestions>(`/v1/search/suggest?${new URLSearchParams({ q, ...where, limit: "8" }).toString()}`, { signal: control.signal }).then(
        ({ start, suggestions }) => (suggested.value = suggestions.map(({ text }) => q.slice(0, start) + text)),
        () => undefined, // Who types goes on without.
      );
    }, SUGGEST_MS);
    return () => { clearTimeout(timer); control.abort(); };
  });

  // What could not be asked is asked again once there is somebody to ask.
  useEffect(() => {
    const again = () => { if (problem.value) void run(); };
    const live = room.status.subscribe(({ state }) => { if (state === "live") again(); });
    addEventListener("online", again);
    return () => { live(); removeEventListener("online", again); };
  }, [room]);

  const open = (event: StreamEvent) => {
    const there = chatOf(event);
    if (there !== room.channel) return there === null ? undefined : onElsewhere(there, event.seq);
    void room.showContext(event.seq).then(onContext, () => (problem.value = t("The messages around it could not be loaded right now.")));
  };

  return (
    <section class="pane pane-search" aria-labelledby="search-title">
      <header class="pane-head"><h2 id="search-title">{t("Search")}</h2></header>
      <form class="search-form" role="search" onSubmit={(event) => { event.preventDefault(); void run(); }}>
        <label class="sr-only" for="q">{t("Search for")}</label>
        <input class="field" id="q" type="search" placeholder={t("Words, \"a phrase\", from:ana, -not")} value={words.value} autocomplete="off" list="q-suggested"
          onInput={(event) => (words.value = event.currentTarget.value)} />
        <datalist id="q-suggested">{suggested.value.map((text) => <option key={text} value={text} />)}</datalist>
        <div class="search-options">
          <label>{t("Order")} <select value={sort.value} onChange={(event) => (sort.value = event.currentTarget.value)}>
            <option value="relevance">{t("best first")}</option><option value="newest">{t("newest first")}</option><option value="oldest">{t("oldest first")}</option>
          </select></label>
          <label><input type="checkbox" checked={everywhere.value} onChange={(event) => { everywhere.value = event.currentTarget.checked; channel.value = ""; }} /> {t("All channels")}</label>
          <a href={desk()}>{t("Analyst’s desk")}</a>
        </div>
      </form>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("Search results")} aria-busy={busy.value}>
        {problem.value && <p class="notice" role="alert">{problem.value}</p>}
        {results.value && <Found results={results.value} onMeant={(meant) => (words.value = meant)} kind={kind} channel={everywhere.value ? channel : null} sender={sender} span={span} room={room} onOpen={open} onMore={(cursor) => void run(cursor)} />}
        {!results.value && !problem.value && <p class="empty">{busy.value ? t("Searching…") : <><strong>{t("Find what was said")}</strong>{t("A second after it happened, it can be found here.")}</>}</p>}
      </div>
    </section>
  );
}

interface FoundProps {
  readonly results: Results;
  readonly kind: { value: string };
  /** Null where only one channel is searched. */
  readonly channel: { value: string } | null;
  readonly sender: { value: string };
  readonly span: { value: Span | null };
  readonly room: Room;
  readonly onOpen: (event: StreamEvent) => void;
  readonly onMore: (cursor: string) => void;
  readonly onMeant: (q: string) => void;
}

function Found({ results, kind, channel, sender, span, room, onOpen, onMore, onMeant }: FoundProps) {
  const { total, hits, took_ms, next, facets, did_you_mean: meant } = results;
  return (
    <>
      <p class="found-count" role="status">{total === 0 ? t("Nothing was found") : many(total, "{n} result", "{n} results")}, {Math.max(1, Math.round(took_ms))} ms</p>
      <Facet name="Kind" buckets={facets?.kind} chosen={kind} />
      {channel && <Facet name="Channel" buckets={facets?.channel} chosen={channel} />}
      <Facet name="Sender" buckets={facets?.sender} chosen={sender} />
      {span.value && (
        <ul class="facet" aria-label={t("Time")}>
          <li><button type="button" id="q-span" aria-pressed={true} onClick={() => { span.value = null; document.getElementById("q")?.focus(); }}>{ends(span.value).join(" to ")}</button></li>
        </ul>
      )}
      <Histogram bars={facets?.histogram ?? []} barMs={facets?.bar_ms ?? 0} onPick={(picked) => { span.value = picked; requestAnimationFrame(() => document.getElementById("q-span")?.focus()); }} />
      {meant && <p>{t("Did you mean")} <button type="button" class="button plain" onClick={() => onMeant(meant)}>{meant}</button>?</p>}
      {total === 0 && <p class="empty"><strong>{t("No message matches")}</strong>{t("Try fewer words, the beginning of one with a * behind it, or all channels.")}</p>}
      <ol class="hits">
        {hits.map(({ event, highlight }) => {
          const there = chatOf(event);
          return (
            <li key={`${event.stream} ${event.seq}`} class="hit">
              <p class="hit-head">
                <Name {...authorOf(event)} />
                <span>{event.stream}</span>
                {there === null ? at(event) : <a href={linkTo(event.stream, event.seq)}>{at(event)}</a>}
              </p>
              <p class="hit-text" dir="auto">{highlight ? pieces(highlight).map(({ text, marked }, n) => (marked ? <mark key={n}>{text}</mark> : text)) : plainText(event)}</p>
              {there !== null && <button type="button" class="hit-open" onClick={() => onOpen(event)}>{there === room.channel ? t("Show in the chat") : t("Show in the chat of {there}", { there })}</button>}
            </li>
          );
        })}
      </ol>
      {next && <button type="button" class="button plain more" onClick={() => onMore(next)}>{t("More results")}</button>}
    </>
  );
}

function Facet({ name, buckets, chosen }: { name: string; buckets: readonly Bucket[] | undefined; chosen: { value: string } }) {
  if (!chosen.value && (buckets === undefined || buckets.length < 2)) return null;
  const shown = chosen.value && !buckets?.some(({ value }) => value === chosen.value) ? [{ value: chosen.value, count: 0 }] : (buckets ?? []);
  return (
    <ul class="facet" aria-label={name}>
      {shown.slice(0, 8).map(({ value, count }) => (
        <li key={value}>
          <button type="button" aria-pressed={chosen.value === value} onClick={() => (chosen.value = chosen.value === value ? "" : value)}>
            <bdi>{value}</bdi> {count > 0 && <span>{count.toLocaleString("en")}</span>}
          </button>
        </li>
      ))}
    </ul>
  );
}

function at({ server_ts: time }: StreamEvent) {
  return <time dateTime={time} title={fullTime(time)}>{clockTime(time)}</time>;
}

/** Who said it; a broadcast is called by what it is. */
function authorOf(event: StreamEvent): { readonly name: string; readonly signed: boolean } {
  const said = author(event);
  return said.name ? said : { name: entryOf(event).title, signed: true };
}

/** The channel in whose chat it was said; null for what is no message. */
function chatOf({ stream }: StreamEvent): string | null {
  return stream.startsWith("chat:") ? stream.slice("chat:".length) : null;
}

function plainText({ data }: StreamEvent): string {
  return typeof data["text"] === "string" ? data["text"] : JSON.stringify(data).slice(0, 300);
}
