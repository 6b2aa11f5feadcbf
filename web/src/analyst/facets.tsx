// What the hits are made of: values by field, all of them where that is asked for, and the words that stand out.

import type { Bucket, Facets as Counted, Word } from "@touchline/client";
import { useSignal, useSignalEffect } from "@preact/signals";

import type { Model } from "./model.ts";
import { type Field, FIELDS, type Filter, operatorFor, toggled, withWord } from "./wanted.ts";
import { t } from "../shared/tongue.ts";

const FEW = 6;
const MOST_SHOWN = 200;
const NAMES: Readonly<Record<Field, string>> = { kind: "Kind", channel: "Channel", sender: "Sender", type: "Type", mark: "Has" };

export function Facets({ model, counted }: { model: Model; counted: Counted }) {
  return (
    <section class="card facets" aria-labelledby="facets-title">
      <h2 id="facets-title">{t("Counts")}</h2>
      {FIELDS.map((field) => <Facet key={field} model={model} field={field} buckets={counted[field] ?? []} />)}
      <StandOut model={model} words={counted.standout} />
    </section>
  );
}

function Facet({ model, field, buckets }: { model: Model; field: Field; buckets: readonly Bucket[] }) {
  const every = useSignal<readonly Bucket[] | null>(null);
  const only = useSignal("");
  const problem = useSignal("");
  // What was counted of another search is gone with it.
  useSignalEffect(() => { void model.found.value; every.value = null; });
  const { wanted } = model;
  const filters = field === "mark" ? [] : wanted.value[field];
  const look = async () => {
    try {
      [every.value, problem.value] = [await model.values(field), ""];
    } catch (error) {
      problem.value = error instanceof Error ? error.message : t("They could not be counted.");
    }
  };
  const shown = (every.value ?? buckets.slice(0, FEW)).filter(({ value }) => value.toLowerCase().includes(only.value.toLowerCase()));
  if (buckets.length === 0 && filters.length === 0) return null;
  const most = Math.max(1, ...buckets.map(({ count }) => count));
  const choose = (value: string) => (field === "mark" ? model.want({ q: withWord(wanted.value.q, operatorFor(field, value, false)) }) : model.want({ [field as Filter]: toggled(wanted.value[field as Filter], value) }));
  const leaveOut = (value: string) => model.want({ q: withWord(wanted.value.q, operatorFor(field, value, true)) });
  return (
    <div class="facet-of">
      <h3>{NAMES[field]}</h3>
      {every.value && every.value.length > FEW && <input class="field" type="search" aria-label={t("Only values of {n} with", { n: t(NAMES[field]) })} placeholder={t("Only with…")} value={only.value} onInput={(event) => (only.value = event.currentTarget.value)} />}
      <ul aria-label={NAMES[field]} class={every.value ? "every" : ""} {...(every.value ? { tabIndex: 0 } : {})}>
        {shown.slice(0, MOST_SHOWN).map(({ value, count }) => (
          <li key={value}>
            <span class="share" style={{ width: `${(100 * count) / most}%` }} aria-hidden="true" />
            <button type="button" class="value" aria-pressed={filters.includes(value)} onClick={() => choose(value)}><bdi>{value}</bdi> <span>{count.toLocaleString("en")}</span></button>
            <button type="button" class="not" aria-label={t("Leave out {value}", { value })} title={t("Leave out {value}", { value })} onClick={() => leaveOut(value)}><span aria-hidden="true">−</span></button>
          </li>
        ))}
      </ul>
      {problem.value && <p class="notice" role="alert">{problem.value}</p>}
      {!every.value && buckets.length > FEW && <button type="button" class="quiet-button" onClick={() => void look()}>{t("More of {n}…", { n: t(NAMES[field]).toLowerCase() })}</button>}
      {every.value && <button type="button" class="quiet-button" onClick={() => { [every.value, only.value] = [null, ""]; }}>{t("Fewer")}</button>}
    </div>
  );
}

function StandOut({ model, words }: { model: Model; words: readonly Word[] | undefined }) {
  const { wanted } = model;
  return (
    <div class="facet-of">
      <label class="check"><input type="checkbox" id="standout" checked={wanted.value.standout} onChange={(event) => model.want({ standout: event.currentTarget.checked })} /> {t("Words that stand out")}</label>
      {words && words.length === 0 && <p class="quiet">{t("None: these hits speak as all else does.")}</p>}
      {words && words.length > 0 && (
        <ul class="words" aria-label={t("Words that stand out")}>
          {words.map(({ word, count, of, background, of_background }) => {
            const says = t("In {n} of {of} hits, and in {m} of {all} of all", { n: count.toLocaleString("en"), of: of.toLocaleString("en"), m: background.toLocaleString("en"), all: of_background.toLocaleString("en") });
            return <li key={word}><button type="button" title={says} onClick={() => model.want({ q: withWord(wanted.value.q, word) })}><bdi>{word}</bdi> <span>{count.toLocaleString("en")}</span></button></li>;
          })}
        </ul>
      )}
    </div>
  );
}
