// The parts of the page beside its overview, and what they say: fetched when one of them is first looked at.

import "./later.css";

import { learn } from "../shared/tongue.ts";
import files from "words:here";

export { Alerts, Audit } from "./audit.tsx";
export { Form } from "./form.tsx";
export { Records } from "./records.tsx";

await learn(files);
