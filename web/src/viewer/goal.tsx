// A goal is seen whatever one is looking at. It is read out as all that happens.

import { t } from "../shared/tongue.ts";
import { sayScore, scoreOf } from "./match.ts";
import type { Playing } from "./playing.ts";

export function GoalBanner({ playing }: { playing: Playing }) {
  const goal = playing.goal.value;
  if (!goal) return null;
  const match = playing.match.value;
  return (
    <div class="goal-banner" aria-hidden="true" key={goal.entry.seq}>
      <strong>{t("Goal!")}</strong>
      <span class="goal-score"><bdi>{match.home.name || t("Home")}</bdi> <b>{sayScore(scoreOf(match))}</b> <bdi>{match.away.name || t("Away")}</bdi></span>
      <span class="goal-who"><bdi>{[goal.entry.minute, goal.entry.title].filter(Boolean).join(" ")}</bdi></span>
    </div>
  );
}
