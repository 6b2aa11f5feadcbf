// Line-ups and statistics of a match: fetched when they are first looked at.

import { language, many, t } from "../shared/tongue.ts";
import type { Player } from "./sheet.ts";
import type { SheetProps } from "./timeline.tsx";

export function SheetView({ sheet, match, part }: SheetProps) {
  const [home, away] = [match.home.name || t("Home"), match.away.name || t("Away")];
  if (part === "lineups") {
    return (
      <div class="lineups">
        <Side name={home} players={sheet.home} />
        <Side name={away} players={sheet.away} />
      </div>
    );
  }
  return (
    <table class="figures">
      <caption class="sr-only">{t("Statistics of the match")}</caption>
      <thead><tr><th scope="col"><bdi>{home}</bdi></th><th scope="col"><span class="sr-only">{t("What is counted")}</span></th><th scope="col"><bdi>{away}</bdi></th></tr></thead>
      <tbody>
        {sheet.figures.map(({ name, home: ours, away: theirs }) => (
          <tr key={name}>
            <td>{ours.toLocaleString(language.value)}</td>
            <th scope="row">
              <bdi>{t(name)}</bdi>
              {ours + theirs > 0 && <span class="share" aria-hidden="true"><span style={{ width: `${(100 * ours) / (ours + theirs)}%` }} /><span /></span>}
            </th>
            <td>{theirs.toLocaleString(language.value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Side({ name, players }: { name: string; players: readonly Player[] }) {
  const [eleven, bench] = [players.filter((one) => !one.bench), players.filter((one) => one.bench)];
  return (
    <section aria-label={name}>
      <h3><bdi>{name}</bdi></h3>
      {players.length === 0 ? <p class="quiet">{t("Not told yet")}</p> : <Players of={eleven} />}
      {bench.length > 0 && (
        <details>
          <summary>{many(bench.length, "{n} substitute", "{n} substitutes")}</summary>
          <Players of={bench} />
        </details>
      )}
    </section>
  );
}

function Players({ of }: { of: readonly Player[] }) {
  return (
    <ol>
      {of.map(({ name, number, position }, n) => <li key={n}><span class="number">{number}</span><bdi>{name}</bdi>{position && <small>{position}</small>}</li>)}
    </ol>
  );
}
