// What the page shows.
import { computed, signal } from "./html.js";

export const me = signal(null); // who the service takes the person for
export const personas = signal([]);
export const persona = signal(null); // name of the one that the next conversation is with

export const thread = signal(null); // the open conversation; null for one that has not begun
export const messages = signal([]);
export const waiting = signal(null); // writes that wait for a decision: {run_id, actions}
export const live = signal(null); // the turn under way: {run, text, steps, status}
export const queued = signal([]); // questions that come next: {run, text}
export const busy = signal(null); // a question that could not be asked yet
export const failure = signal(null); // a question without an answer: {text, message, written, stopped}
export const connected = signal(true); // whether events of the turn under way are coming
export const opening = signal(false);
export const beginning = signal(false); // whether the first question of a conversation is on its way

export const side = signal(null); // what stands at the right: {kind: "source", ...} or {kind: "documents"}
export const drawer = signal(false); // whether the history is open on a phone

export const speaker = computed(() => {
  const name = thread.value?.persona ?? persona.value;
  return personas.value.find((each) => each.name === name) ?? personas.value[0] ?? null;
});
