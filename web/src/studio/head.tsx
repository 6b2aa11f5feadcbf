// The studio's head: score and clock as viewers have them, who else is here, and how the connection is.

import { useComputed } from "@preact/signals";

import { homeOf } from "../shared/config.ts";
import { ThemeButton } from "../shared/theme.tsx";
import { sayStatus } from "../shared/words.ts";
import { Kit } from "../shared/kit.tsx";
import { UserField } from "../shared/user.tsx";
import { matchClock } from "../viewer/match.ts";
import { ChannelPicker } from "../viewer/scoreboard.tsx";
import type { Model } from "./model.ts";
import { many, t } from "../shared/tongue.ts";

interface Given {
  readonly model: Model;
  readonly now: { readonly value: number };
  readonly onChannel: (channel: string) => void;
  readonly onUser: ((user: string) => void) | null;
  readonly onKeys: () => void;
}

export function Head({ model, now, onChannel, onUser, onKeys }: Given) {
  const { match, phase } = model.play.value;
  const clock = useComputed(() => matchClock(model.play.value.match, now.value));
  const said = useComputed(() => sayStatus(model.status.value, now.value ? performance.now() : 0));
  return (
    <header class="board">
      <div class="board-top">
        <h1 class="studio-title">{t("Studio")}</h1>
        <ChannelPicker channel={model.channel} home={homeOf(model.user)} onChannel={onChannel} />
        {onUser && <UserField user={model.user} onUser={onUser} />}
        <div class="board-state">
          <Others model={model} />
          <span class={`state ${said.value.tone}`} title={said.value.detail}>{said.value.text}</span>
          <span class="sr-only" role="status">{[said.value.said ?? said.value.text, said.value.detail].filter(Boolean).join(". ")}</span>
          <button type="button" class="theme" id="keys" onClick={onKeys} aria-label={t("Keys")} title={t("Keys (?)")}>?</button>
          <ThemeButton />
        </div>
      </div>
      <div class="score" role="group" aria-label={t("Score")}>
        <span class="team"><bdi>{match.home.name || t("Home")}</bdi></span>
        <span class="goals">{match.home.score ?? 0}</span>
        <span class="goals">{match.away.score ?? 0}</span>
        <span class="team"><bdi>{match.away.name || t("Away")}</bdi></span>
      </div>
      <p class="clock"><span id="clock">{clock.value || t("Not begun")}</span>{phase && phase.name !== clock.value && <span class="phase">{t(phase.name)}</span>}{model.viewers.value !== null && <span class="viewers">{many(model.viewers.value, "{n} viewer", "{n} viewers")}</span>}</p>
    </header>
  );
}

function Others({ model }: { model: Model }) {
  const others = model.others.value;
  if (others.length === 0) return <span class="others alone">{t("Nobody else is here")}</span>;
  return (
    <ul class="others" aria-label={t("Also in the studio")}>
      {others.map(({ user, writes }) => (
        <li key={user} data-writes={writes}><Kit name={user} /><bdi>{user}</bdi>{writes && <em> {t("writes…")}</em>}</li>
      ))}
    </ul>
  );
}
