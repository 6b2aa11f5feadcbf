// Where tokens are needed: the place to paste one.

import { useSignal } from "@preact/signals";

import { storedToken, storeToken } from "./config.ts";
import "./signin.css";

export function SignIn({ reason, onToken }: { reason: string; onToken: () => void }) {
  const token = useSignal(storedToken());
  const submit = (event: Event) => {
    event.preventDefault();
    storeToken(token.value.trim());
    onToken();
  };
  return (
    <form class="sign-in" onSubmit={submit}>
      <p role="alert"><strong>You are not let in.</strong> {reason} Paste a token to go on; <code>touchline token NAME</code> makes one.</p>
      <label class="sr-only" for="token">Token</label>
      <input class="field" id="token" type="password" autocomplete="off" spellcheck={false} placeholder="Token" value={token.value} onInput={(event) => (token.value = event.currentTarget.value)} />
      <button class="button" type="submit">Go on</button>
    </form>
  );
}
