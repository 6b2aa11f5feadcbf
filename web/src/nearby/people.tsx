// Friends: who asks me, whom I asked, who is one; and asking somebody.

import { useSignal } from "@preact/signals";
import type { Friend } from "@touchline/client";

import { MAX_USER } from "../shared/generated.ts";
import { User } from "../shared/name.tsx";
import type { Model } from "./model.ts";
import { t } from "../shared/tongue.ts";

const PAGE = 20;

export function People({ model }: { model: Model }) {
  const wanted = useSignal("");
  const shown = useSignal(PAGE);
  const of = (state: Friend["state"]) => model.friends.value.filter((friend) => friend.state === state);
  const [asking, asked, friends] = [of("asking"), of("asked"), of("friends")];
  const ask = async (event: Event) => {
    event.preventDefault();
    const user = wanted.value.trim();
    if (user && (await model.ask(user))) wanted.value = "";
  };
  return (
    <section class="card" aria-labelledby="people-title">
      <h2 id="people-title">{t("Friends")}</h2>
      <form class="row" onSubmit={(event) => void ask(event)}>
        <label class="sr-only" for="ask">{t("Somebody to ask for friendship")}</label>
        <input class="field" id="ask" placeholder={t("Somebody’s name")} value={wanted.value} maxLength={MAX_USER} autocomplete="off" spellcheck={false} autocapitalize="off" onInput={(event) => (wanted.value = event.currentTarget.value)} />
        <button class="button" type="submit">{t("Ask")}</button>
      </form>
      {asking.length > 0 && (
        <>
          <h3>{t("They ask you")}</h3>
          <ul class="rows" id="asking">
            {asking.map(({ user }) => (
              <li key={user}><User name={user} /><span class="acts"><button type="button" class="button" data-yes={user} aria-label={t("Say yes to {user}", { user })} onClick={() => void model.ask(user)}>{t("Yes")}</button> <button type="button" class="button plain" aria-label={t("Say no to {user}", { user })} onClick={() => void model.end(user)}>{t("No")}</button></span></li>
            ))}
          </ul>
        </>
      )}
      {asked.length > 0 && (
        <>
          <h3>{t("You have asked")}</h3>
          <ul class="rows" id="asked">{asked.map(({ user }) => <li key={user}><User name={user} /><End model={model} user={user} words={t("Take back")} /></li>)}</ul>
        </>
      )}
      {friends.length > 0 && (
        <>
          <h3>{friends.length === 1 ? t("One friend") : t("{n} friends", { n: friends.length.toLocaleString("en") })}</h3>
          <ul class="rows" id="friends">{friends.slice(0, shown.value).map(({ user }) => <li key={user}><User name={user} /><End model={model} user={user} words="End" /></li>)}</ul>
          {friends.length > shown.value && <button type="button" class="button plain more" onClick={() => (shown.value += PAGE)}>{t("Show more of them")}</button>}
        </>
      )}
    </section>
  );
}

function End({ model, user, words }: { model: Model; user: string; words: string }) {
  return <span class="acts"><button type="button" class="button plain" data-end={user} aria-label={`${words}: ${user}`} onClick={() => void model.end(user)}>{words}</button></span>;
}
