// Whoever is here says who they are: by name where there are no keys, else by a token.

import "./head.css";

import { useSignal } from "@preact/signals";

import { storedToken, storeToken } from "./config.ts";
import { MAX_USER } from "./generated.ts";
import { t } from "./tongue.ts";

const LONGEST_TOKEN = 8192;

interface Props {
  /** Whether a name is believed: there are no keys. */
  readonly names: boolean;
  readonly user: string;
  readonly onChange: () => void;
}

export function Who({ names, user, onChange }: Props) {
  const typed = useSignal(names ? user : "");
  const submit = (event: Event) => {
    event.preventDefault();
    const wanted = typed.value.trim();
    if (names) {
      const address = new URLSearchParams(location.search);
      if (wanted) address.set("user", wanted);
      else address.delete("user");
      history.pushState(null, "", address.size > 0 ? `?${address.toString()}` : location.pathname);
    } else storeToken(wanted);
    onChange();
  };
  const field = {
    class: "field", id: "user", value: typed.value, autocomplete: "off", spellcheck: false, autocapitalize: "off",
    onInput: (event: { currentTarget: HTMLInputElement }) => (typed.value = event.currentTarget.value),
  } as const;
  const signedIn = !names && storedToken() !== "";
  return (
    <form class="who" onSubmit={submit}>
      <label for="user">{names ? t("You are") : signedIn ? <>{t("You are")} <bdi>{user}</bdi>{t("; another token")}</> : t("Token")}</label>
      {names ? <input type="text" maxLength={MAX_USER} aria-label={t("You are")} {...field} /> : <input type="password" maxLength={LONGEST_TOKEN} aria-label={t("Token")} {...field} />}
      {typed.value.trim() !== (names ? user : "") && <button class="button" type="submit">{t("Go")}</button>}
    </form>
  );
}
