// The head of the page: the pitch from above, the score in its centre circle, who watches, and how the connection is.

import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { Flag } from "../shared/flag.tsx";
import { CHANNEL, CHANNEL_PATTERN, MAX_CHANNEL } from "../shared/generated.ts";
import { fromNow, language, many, t } from "../shared/tongue.ts";
import { UserField } from "../shared/user.tsx";
import { sayStatus } from "../shared/words.ts";
import { BellAndFollow } from "./bell.tsx";
import { type Match, matchClock } from "./match.ts";
import type { Room } from "./room.ts";

export function Scoreboard({ room, onChannel, onUser }: { room: Room; onChannel: (channel: string) => void; onUser: ((user: string) => void) | null }) {
  const now = useSignal(0);
  const wall = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => { now.value = performance.now(); wall.value = Date.now(); }, 250);
    return () => clearInterval(timer);
  }, []);
  const { viewers, status } = room;
  const { match } = room.playing;
  const clock = useComputed(() => matchClock(match.value, wall.value) || beginning(match.value, wall.value));
  const said = useComputed(() => sayStatus(status.value, now.value || performance.now()));
  const { home, away, title } = match.value;
  const scored = home.score !== null || away.score !== null || home.name !== "";
  return (
    <header class="board">
      <svg class="chalk" viewBox="0 0 1200 160" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
        <path d="M600 0v160M0 0v160M1200 0v160M0 20h70v120H0M1200 20h-70v120h70" />
        <circle cx="600" cy="80" r="66" />
        <path d="M70 50a42 42 0 0 1 0 60M1130 50a42 42 0 0 0 0 60" />
      </svg>
      <div class="board-top">
        {scored && <h1 class="sr-only">{title || room.channel}</h1>}
        <ChannelPicker channel={room.channel} home={room.home} onChannel={onChannel} />
        {onUser && <UserField user={room.user} onUser={onUser} />}
        <div class="board-state">
          <BellAndFollow room={room} onChannel={onChannel} />
          {viewers.value !== null && status.value.state === "live" && <span class="viewers" title={t("Watching now")}>{many(viewers.value, "{n} viewer", "{n} viewers")}</span>}
          <span class={`state ${said.value.tone}`} title={said.value.detail}>{said.value.text}</span>
          {/* Read out once a change: nobody wants to hear a countdown. */}
          <span class="sr-only" role="status">{[said.value.said ?? said.value.text, said.value.detail].filter(Boolean).join(". ")}</span>
        </div>
      </div>
      {scored ? (
        <div class="score" role="group" aria-label={t("Score")}>
          <span class="team"><bdi>{home.name || t("Home")}</bdi></span>
          <span class="goals">{home.score ?? 0}</span>
          <span class="goals">{away.score ?? 0}</span>
          <span class="team"><bdi>{away.name || t("Away")}</bdi></span>
        </div>
      ) : (
        <h1 class="board-title"><bdi>{title || room.channel}</bdi></h1>
      )}
      <p class="clock">{clock.value}</p>
    </header>
  );
}

/** Until it begins: when, and in how long. */
function beginning({ phase, startsAt }: Match, nowMs: number): string {
  if (phase !== "before" || !(Date.parse(startsAt) > nowMs)) return "";
  const when = new Intl.DateTimeFormat(language.value, { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(startsAt));
  return t("Begins {when}, {soon}", { when, soon: fromNow(startsAt, nowMs) });
}

export function ChannelPicker({ channel, home, onChannel }: { channel: string; home: string; onChannel: (channel: string) => void }) {
  const typed = useSignal(channel);
  const submit = (event: Event) => {
    event.preventDefault();
    const wanted = typed.value.trim();
    if (CHANNEL.test(wanted) && wanted !== channel) onChannel(wanted);
    else typed.value = channel;
  };
  return (
    <form class="channel" onSubmit={submit}>
      <a class="to-home" href={home} title={t("All that is on")}><Flag /><span class="sr-only">{t("All that is on")}</span></a>
      <label class="sr-only" for="channel">{t("Channel")}</label>
      <input id="channel" list="channels" value={typed.value} maxLength={MAX_CHANNEL} spellcheck={false} autocomplete="off" autocapitalize="off"
        pattern={CHANNEL_PATTERN} title={t("Letters, digits and . _ ~ -")} onInput={(event) => (typed.value = event.currentTarget.value)} />
      <datalist id="channels">{recentChannels().map((name) => <option value={name} key={name} />)}</datalist>
      {typed.value !== channel && <button type="submit">{t("Go")}</button>}
    </form>
  );
}

const RECENT = "touchline.channels";

export function recentChannels(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
    return Array.isArray(kept) ? kept.filter((name): name is string => typeof name === "string").slice(0, 8) : [];
  } catch {
    return [];
  }
}

export function rememberChannel(channel: string): void {
  try {
    localStorage.setItem(RECENT, JSON.stringify([channel, ...recentChannels().filter((name) => name !== channel)].slice(0, 8)));
  } catch {
    // Nothing is remembered, and nothing is lost.
  }
}
