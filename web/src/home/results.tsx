// What a search over all has found: channels first, then what was said and shown.

import { addressOf, linkTo, namedUser } from "../shared/config.ts";
import { CHANNEL } from "../shared/generated.ts";
import { pieces } from "../shared/highlight.ts";
import { Name } from "../shared/name.tsx";
import { author, tame } from "../shared/names.ts";
import { language, many, t } from "../shared/tongue.ts";
import { entryOf } from "../viewer/match.ts";
import type { Finding, Hit } from "./finding.ts";
import { channelOf } from "./listing.ts";

const LONGEST = 300;

export function Results({ finding, q, onMeant }: { finding: Finding; q: string; onMeant: (q: string) => void }) {
  const found = finding.found.value;
  const problem = finding.problem.value;
  if (!found) return <p class="empty" aria-busy="true">{t("Searching…")}</p>;
  const { channels, hits, total, next, meant } = found;
  const exact = channels.some(({ channel }) => channel === found.q);
  return (
    <section class="results" aria-label={t("Search results")} aria-busy={finding.busy.value}>
      {problem && <p class="notice" role="alert">{problem}</p>}
      {channels.length > 0 && (
        <ul class="found-channels" aria-label={t("Channels")}>
          {channels.map(({ channel, viewers }) => <li key={channel}><a href={`/${addressOf(channel, namedUser())}`}><bdi>{channel}</bdi>{viewers > 0 && <small>{many(viewers, "{n} viewer", "{n} viewers")}</small>}</a></li>)}
        </ul>
      )}
      <p class="found-count" role="status">{total === 0 ? t("Nothing was found") : many(total, "{n} result", "{n} results")}</p>
      {total > 0 && <p class="quiet"><a href={`/search?${new URLSearchParams({ q: found.q, ...(namedUser() ? { user: namedUser() } : {}) }).toString()}`}>{t("With charts and filters")}</a></p>}
      {meant && <p>{t("Did you mean")} <button type="button" class="tool" onClick={() => onMeant(meant)}>{meant}</button></p>}
      <ol class="hits">{hits.map((hit) => <li key={`${hit.event.stream} ${hit.event.seq}`}><One {...hit} /></li>)}</ol>
      {next && <button type="button" class="button plain" disabled={finding.busy.value} onClick={() => void finding.more()}>{t("More results")}</button>}
      {!exact && CHANNEL.test(q) && total === 0 && (
        <p class="quiet">{t("There is no channel {name} yet.", { name: q })} <a href={`/${addressOf(q, namedUser())}`}>{t("Open it all the same")}</a></p>
      )}
    </section>
  );
}

function One({ event, highlight }: Hit) {
  const { stream, seq, server_ts: at, data } = event;
  const channel = channelOf(stream);
  const said = author(event);
  const text = typeof data["text"] === "string" ? data["text"] : JSON.stringify(data).slice(0, LONGEST);
  // What is no message has no place in the chat: its channel is opened.
  const href = stream.startsWith("chat:") ? `/${linkTo(stream, seq)}` : `/${addressOf(channel, namedUser())}`;
  return (
    <a class="hit" href={href}>
      <span class="hit-head">
        {said.name ? <Name name={said.name} signed={said.signed} /> : <span class="name">{entryOf(event).title}</span>}
        <span><bdi>{channel}</bdi></span>
        <time dateTime={at}>{new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at))}</time>
      </span>
      <span class="hit-text" dir="auto">{highlight ? pieces(highlight).map(({ text: piece, marked }, n) => (marked ? <mark key={n}>{piece}</mark> : piece)) : tame(text)}</span>
    </a>
  );
}
