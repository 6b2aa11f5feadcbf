// A channel as it is listed: how its match stands, who watches, and when something happened last.

import { addressOf, namedUser } from "../shared/config.ts";
import { spelled } from "../shared/names.ts";
import { fromNow, language, many, t } from "../shared/tongue.ts";
import { type Match, matchClock } from "../viewer/match.ts";
import type { Row, Soon } from "./listing.ts";

const to = (channel: string) => `/${addressOf(channel, namedUser())}`;

export function Card({ row, match, nowMs }: { row: Row; match: Match | undefined; nowMs: number }) {
  const { channel, viewers, last } = row;
  const { home, away, title = "" } = match ?? {};
  const sides = home !== undefined && away !== undefined && home.name !== "" && away.name !== "";
  const clock = match ? matchClock(match, nowMs) : "";
  return (
    <a class="card" href={to(channel)} data-channel={channel}>
      <span class="card-head">
        <bdi class="card-channel">{spelled(channel).text}</bdi>
        {viewers > 0 && <span class="card-viewers">{many(viewers, "{n} viewer", "{n} viewers")}</span>}
      </span>
      {sides ? (
        <span class="card-score">
          {[home, away].map((side, n) => <span key={n}><bdi>{side.name}</bdi> {(home.score !== null || away.score !== null) && <b>{side.score ?? 0}</b>}</span>)}
        </span>
      ) : <strong class="card-title"><bdi>{title || channel}</bdi></strong>}
      <span class="card-foot">
        {clock && <span class={`card-clock ${match?.phase}`}>{clock}</span>}
        {last && <time dateTime={last}>{fromNow(last, nowMs)}</time>}
      </span>
    </a>
  );
}

export function SoonRow({ soon: { channel, title, startsAt }, nowMs }: { soon: Soon; nowMs: number }) {
  const when = new Intl.DateTimeFormat(language.value, { weekday: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" }).format(new Date(startsAt));
  return (
    <a class="row" href={to(channel)} data-channel={channel}>
      <span class="row-main"><bdi>{title}</bdi>{title !== channel && <small><bdi>{channel}</bdi></small>}</span>
      <time dateTime={startsAt}>{when}<small>{Date.parse(startsAt) > nowMs ? fromNow(startsAt, nowMs) : t("about to begin")}</small></time>
    </a>
  );
}

export function LatelyRow({ row: { channel, last }, nowMs }: { row: Row; nowMs: number }) {
  return (
    <a class="row" href={to(channel)} data-channel={channel}>
      <span class="row-main"><bdi>{spelled(channel).text}</bdi></span>
      {last && <time dateTime={last}>{fromNow(last, nowMs)}</time>}
    </a>
  );
}
