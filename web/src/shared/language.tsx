// Which language the page speaks.

import { choose, type Language, language, LANGUAGES, t } from "./tongue.ts";

export function LanguageChoice() {
  return (
    <select class="language" aria-label={t("Language")} value={language.value} onChange={(event) => choose(event.currentTarget.value as Language)}>
      {Object.entries(LANGUAGES).map(([name, called]) => <option key={name} value={name} lang={name}>{called}</option>)}
    </select>
  );
}
