// Where tokens are needed: the place to paste one.

import { useSignal } from "@preact/signals";

import { storedToken, storeToken } from "./config.ts";
import "./signin.css";
import { t } from "./tongue.ts";

export function SignIn({ reason, onToken }: { reason: string; onToken: () => void }) {
  const token = useSignal(storedToken());
  const submit = (event: Event) => {
    event.preventDefault();
    storeToken(token.value.trim());
    onToken();
  };
  return (
    <form class="sign-in" onSubmit={submit}>
      <p role="alert"><strong>{t("You are not let in.")}</strong> {reason} {t("Paste a token to go on;")} <code>touchline token NAME</code> {t("makes one.")}</p>
      <label class="sr-only" for="token">{t("Token")}</label>
      <input class="field" id="token" type="password" autocomplete="off" spellcheck={false} placeholder={t("Token")} value={token.value} onInput={(event) => (token.value = event.currentTarget.value)} />
      <button class="button" type="submit">{t("Go on")}</button>
    </form>
  );
}
