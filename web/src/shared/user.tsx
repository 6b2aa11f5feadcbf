// Where there are no keys: the field in which whoever is here says who they are.

import { useSignal } from "@preact/signals";

import { MAX_USER } from "./generated.ts";
import { t } from "./tongue.ts";

/** Nobody in particular may do everything. */
export function UserField({ user, onUser }: { user: string; onUser: (user: string) => void }) {
  const typed = useSignal(user);
  const submit = (event: Event) => {
    event.preventDefault();
    const wanted = typed.value.trim();
    if (wanted !== user) onUser(wanted);
    else typed.value = user;
  };
  return (
    <form class="who" onSubmit={submit}>
      <label for="user">{t("You are")}</label>
      <input id="user" aria-label={t("You are")} value={typed.value} maxLength={MAX_USER} placeholder={t("anybody")} spellcheck={false} autocomplete="off" autocapitalize="off"
        title={t("Your user's name; as anybody you may do everything here")} onInput={(event) => (typed.value = event.currentTarget.value)} />
      {typed.value.trim() !== user && <button type="submit">{t("Go")}</button>}
    </form>
  );
}
