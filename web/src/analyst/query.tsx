// The query: a field whose last word Tab completes, and help on what may stand in it.

import type { Suggestions } from "@touchline/client";
import { useSignal, useSignalEffect } from "@preact/signals";
import { useId, useRef } from "preact/hooks";

import { ask } from "../shared/config.ts";
import { MAX_QUERY } from "../shared/generated.ts";
import { OPERATORS } from "./generated.ts";
import { type Model } from "./model.ts";
import { withWord } from "./wanted.ts";
import { t } from "../shared/tongue.ts";

const SUGGEST_MS = 90;

interface Offer {
  /** The query with it in place. */
  readonly q: string;
  readonly caret: number;
  readonly text: string;
  readonly says: string;
  readonly kind: string;
}

const KINDS: Readonly<Record<string, string>> = { operator: "operator", value: "", time: "time", sender: "sender", channel: "channel", type: "type", word: "word" };

export function Query({ model }: { model: Model }) {
  const field = useRef<HTMLInputElement>(null);
  const offers = useSignal<readonly Offer[]>([]);
  const chosen = useSignal(-1);
  const caret = useSignal(0);
  const typing = useSignal(false);
  const help = useSignal(false);
  const id = useId();
  const close = () => { [offers.value, chosen.value, typing.value] = [[], -1, false]; };

  useSignalEffect(() => {
    const [q, at, live] = [model.typed.value, caret.value, typing.value];
    const control = new AbortController();
    if (!live) return undefined;
    const timer = setTimeout(() => {
      const before = q.slice(0, at);
      if (!before.trim()) return void (offers.value = []);
      ask<Suggestions>(`/v1/search/suggest?${new URLSearchParams({ q: before, limit: "8" }).toString()}`, { signal: control.signal }).then(
        ({ start, suggestions }) => {
          offers.value = suggestions.map(({ text, kind, says, count }) => {
            const made = before.slice(0, start) + text + (kind === "operator" ? "" : " ");
            return { q: made + q.slice(at).trimStart(), caret: made.length, text, kind, says: says ?? (count ? t("in {n}", { n: count.toLocaleString("en") }) : "") };
          });
          chosen.value = -1;
        },
        () => undefined, // Who types goes on without.
      );
    }, SUGGEST_MS);
    return () => { clearTimeout(timer); control.abort(); };
  });

  const type = ({ value, selectionStart }: HTMLInputElement) => {
    const at = selectionStart ?? value.length;
    const before = value.slice(0, at).toLowerCase();
    [model.typed.value, caret.value, typing.value] = [value, at, true];
    // What was offered for less of it stays while it still fits: nobody takes what they have typed past.
    [offers.value, chosen.value] = [offers.value.filter(({ q, caret: end }) => q.slice(0, end).toLowerCase().startsWith(before)), -1];
  };
  const take = (offer: Offer) => {
    model.typed.value = offer.q;
    [offers.value, chosen.value, caret.value] = [[], -1, offer.caret];
    requestAnimationFrame(() => field.current?.setSelectionRange(offer.caret, offer.caret));
  };
  const ask_ = () => {
    close();
    model.want({ q: model.typed.value.trim() });
  };
  const key = (event: KeyboardEvent) => {
    const { value: list } = offers;
    const offer = list[Math.max(0, chosen.value)];
    if (event.key === "Tab" && !event.shiftKey && offer) take(offer);
    else if (event.key === "Enter" && offer && chosen.value >= 0) take(offer);
    else if (event.key === "Escape" && list.length > 0) close();
    else if (event.key === "ArrowDown" && list.length > 0) chosen.value = (chosen.value + 1) % list.length;
    else if (event.key === "ArrowUp" && list.length > 0) chosen.value = (chosen.value <= 0 ? list.length : chosen.value) - 1;
    else return;
    event.preventDefault();
  };
  const open = offers.value.length > 0;
  const unasked = model.typed.value.trim() !== model.wanted.value.q;
  return (
    <>
      <form class="query" role="search" onSubmit={(event) => { event.preventDefault(); ask_(); }}>
        <div class="query-field">
          <label class="sr-only" for="q">{t("Search for")}</label>
          <input class="field" id="q" ref={field} type="text" inputMode="search" enterKeyHint="search" maxLength={MAX_QUERY} autocomplete="off" spellcheck={false} autocapitalize="off"
            placeholder={t("Words, \"a phrase\", from:ana, after:2h, has:link, -not")} value={model.typed.value}
            role="combobox" aria-autocomplete="list" aria-expanded={open} aria-controls={`${id}-list`} aria-describedby={`${id}-how`}
            {...(chosen.value >= 0 ? { "aria-activedescendant": `${id}-${chosen.value}` } : {})}
            onInput={(event) => type(event.currentTarget)}
            onKeyDown={key} onBlur={close} />
          <span class="sr-only" id={`${id}-how`}>{t("Tab takes the first suggestion, arrows choose another, Escape closes them.")}</span>
          <ul class="offers" id={`${id}-list`} role="listbox" aria-label={t("Suggestions")} hidden={!open}>
            {offers.value.map((offer, n) => (
              <li key={offer.text} id={`${id}-${n}`} role="option" aria-selected={n === chosen.value} class={n === Math.max(0, chosen.value) ? "first" : ""}
                onPointerDown={(event) => { event.preventDefault(); take(offer); }}>
                <bdi>{offer.text}</bdi> <span>{offer.says}</span> <small>{n === Math.max(0, chosen.value) ? "Tab" : t(KINDS[offer.kind] ?? "")}</small>
              </li>
            ))}
          </ul>
        </div>
        <button class="button" type="submit">{t("Search")}</button>
        <button class="button plain" type="button" aria-expanded={help.value} aria-controls={`${id}-help`} onClick={() => (help.value = !help.value)}>{t("Help")}</button>
        {unasked && <p class="unasked">{t("Press Enter to search for this.")}</p>}
      </form>
      <div id={`${id}-help`} hidden={!help.value}>{help.value && <Help onTake={(text) => { model.typed.value = withWord(model.typed.value, text); field.current?.focus(); }} />}</div>
    </>
  );
}

const WORDS: readonly (readonly [string, string])[] = [
  ["goals", "any form of the word; in longer ones a typo is forgiven"],
  ['"half time"', "these words, one after the other"],
  ["pen*", "words that start so"],
  ["-red", "what does not have it"],
  ["goal OR penalty", "one of the two"],
];

function Help({ onTake }: { onTake: (text: string) => void }) {
  return (
    <section class="card help" aria-label={t("What may stand in a query")}>
      <dl>
        {WORDS.map(([example, says]) => <div key={example}><dt><button type="button" onClick={() => onTake(example)}>{example}</button></dt><dd>{t(says)}</dd></div>)}
      </dl>
      <dl>
        {OPERATORS.map(({ name, says, examples }) => (
          <div key={name}>
            <dt>{examples.map((example) => <button key={example} type="button" onClick={() => onTake(`${name}:${example}`)}>{name}:{example}</button>)}</dt>
            <dd>{says}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">{t("Each may be negated (")}<code>-from:bot</code>{t(") and be one side of an")} <code>OR</code>{t(". Times are written as")} <code>10m</code> {t("(so long ago),")} <code>yesterday</code>, <code>19:30</code>, <code>2026-06-11</code>, <code>2026-06-11T19:00[Asia/Seoul]</code>{t("; those without a zone are in the one chosen below.")}</p>
      <p class="quiet">{t("Keys:")} <kbd>/</kbd> {t("to the query,")} <kbd>Tab</kbd> {t("completes,")} <kbd>↑</kbd> <kbd>↓</kbd> {t("along the rows,")} <kbd>Enter</kbd> {t("shows a row in its context,")} <kbd>←</kbd> <kbd>→</kbd> {t("along the bars, with")} <kbd>Shift</kbd> {t("several of them.")}</p>
    </section>
  );
}
