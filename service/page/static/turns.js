// Turns of the open conversation: asking, following, deciding, stopping.
import { get, post } from "./api.js";
import { follow } from "./events.js";
import { cut } from "./format.js";
import { attempt, notify } from "./notices.js";
import { beginning, busy, connected, failure, live, messages, opening, persona, queued, thread, waiting } from "./state.js";
import { changed, refresh } from "./threads.js";

// The conversation that is open, or about to be: its id once it has begun, and what its questions wait for.
// Behind each wait the person may have gone to another, and what has come does not belong here any more.
let here = { id: "" };
let watching = null; // ends the following of a run
const asked = new Map(); // what was asked in this tab, by the run

// Asks in a conversation, begun if it is new. `ifBusy` says what happens while another answer is being written.
export async function ask(text, ifBusy = "refuse", place = here) {
  if (place === here) busy.value = failure.value = null;
  try {
    await place.opened;
    if (!place.id) await (place.begun ??= begin(place)); // once, however many questions wait for it
    const run = await post(`threads/${place.id}/runs`, { text, if_busy: ifBusy });
    asked.set(run.id, text);
    if (place === here) show(run, text);
    changed(run.thread_id);
    refresh();
  } catch (error) {
    if (place !== here) notify(`“${cut(text, 60)}” was not asked: ${error.message}`, "error");
    else if (error.code === "busy") busy.value = { text };
    else failure.value = { text, message: error.message };
  } finally {
    if (place === here) beginning.value = false;
  }
}

function show(run, text) {
  if (live.value && run.status === "queued") {
    queued.value = [...queued.value, { run, text }];
    return;
  }
  waiting.value = null; // it is withdrawn by another question
  messages.value = [...messages.value, questionOf(run)];
  watch(run);
}

async function begin(place) {
  beginning.value = place === here;
  try {
    const begun = await post("threads", persona.value ? { persona: persona.value } : {});
    place.id = begun.id;
    if (place !== here) return;
    thread.value = begun;
    history.replaceState(null, "", `#${begun.id}`);
  } finally {
    place.begun = null; // where it failed, it can be tried again
  }
}

// Opens a conversation; none for a new one.
export function open(id) {
  leave();
  const place = (here = { id });
  thread.value = waiting.value = failure.value = busy.value = null;
  messages.value = queued.value = [];
  beginning.value = false;
  opening.value = Boolean(id);
  if (id) place.opened = opened(place);
  return place;
}

async function opened(place) {
  const found = await attempt(() => load(place));
  if (!found) place.id = ""; // a question begins another
  if (place === here) opening.value = false;
}

// Reads the open conversation again, as another tab may have carried it on.
export async function reload() {
  if (thread.value && !live.value) await attempt(() => load(here));
}

async function load(place) {
  const followed = watching;
  const read = await get(`threads/${place.id}`);
  if (place !== here) return true;
  if (watching !== followed) return load(place); // another question was asked meanwhile
  thread.value = read;
  messages.value = read.run ? upTo(read.run, read.messages) : read.messages;
  waiting.value = read.waiting;
  // A question that waited may have been answered by now.
  const begun = new Set([read.run?.id, ...read.messages.map((message) => message.id)]);
  queued.value = queued.value.filter((each) => !begun.has(each.run.id));
  if (read.run) watch(read.run);
  else live.value = null;
  return true;
}

const questionOf = (run) => ({ id: run.id, role: "user", text: asked.get(run.id), at: run.created });

// Returns the messages up to the question of a run: what comes behind it, its events tell.
function upTo(run, all) {
  const place = all.findIndex((each) => each.id === run.id);
  if (place >= 0) return all.slice(0, place + 1);
  return asked.has(run.id) ? [...all, questionOf(run)] : all;
}

function leave() {
  watching?.abort();
  watching = live.value = null;
}

async function watch(run) {
  watching?.abort();
  const control = (watching = new AbortController());
  const [place, turn] = [here, new Turn(run)];
  turn.show();
  try {
    const told = (now) => (connected.value = now);
    for await (const event of follow(run.id, { signal: control.signal, onConnected: told })) {
      if (control.signal.aborted) return;
      turn.take(event);
    }
  } catch (error) {
    turn.error = error.message;
  }
  if (!control.signal.aborted) await finish(turn, place);
}

// Shows what a turn came to, as the service keeps it.
async function finish(turn, place) {
  const question = messages.value.findLast((message) => message.role === "user")?.text ?? "";
  turn.ended = true;
  watching = waiting.value = null;
  await attempt(() => load(place));
  changed(place.id);
  refresh();
  if (place !== here) return;
  if (!watching) live.value = null;
  if (turn.error) failure.value = { text: question, message: turn.error, written: turn.text };
  else if (turn.stopped && !watching) failure.value = stoppedAt(question, turn.text);
}

const stoppedAt = (text, written) => ({
  text,
  written,
  message: written ? "Stopped. What was written is not kept." : "Stopped.",
  stopped: true,
});

// Returns a copy of the open conversation as it was before a question.
async function forkedBefore(message) {
  const { id, persona } = thread.value;
  const answer = messages.value.slice(0, messages.value.indexOf(message)).findLast(({ role }) => role === "assistant");
  if (!answer) return post("threads", { persona });
  const { items } = await get(`threads/${id}/checkpoints`);
  const end = items.find((each) => each.message_id === answer.id);
  return post(`threads/${id}/fork`, { checkpoint: end.id });
}

// The turn under way, as its events tell it.
class Turn {
  text = "";
  steps = new Map();
  error = null;
  stopped = false;
  ended = false;
  #drawing = false;

  constructor(run) {
    this.run = run;
    this.status = run.status;
  }

  take({ event, data }) {
    this[`on_${event}`]?.(data);
    if (event !== "waiting") this.decided();
    this.draw();
  }

  on_token({ text }) {
    this.text += text;
    this.status = "running";
  }

  on_step(step) {
    this.steps.set(step.id, { ...this.steps.get(step.id), ...step });
    this.status = "running";
  }

  on_restart() {
    this.text = "";
    this.error = null; // of the process that went on with it before
    for (const [id, { status }] of this.steps) if (status === "started") this.steps.delete(id);
  }

  on_waiting(asked) {
    this.status = "waiting";
    waiting.value = asked;
    refresh();
  }

  on_answer(message) {
    this.text = message.text;
    this.error = null;
  }

  on_error({ message }) {
    this.error = message;
  }

  on_end({ status }) {
    this.stopped = status === "cancelled";
  }

  decided() {
    if (waiting.value?.run_id === this.run.id) waiting.value = null;
  }

  // Tokens come faster than a screen can show them.
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      if (!this.ended) this.show();
    });
  }

  show() {
    const { run, text, status } = this;
    live.value = { run, text, status, steps: [...this.steps.values()] };
  }
}

// Answers what the run waits for, one decision for each write in order.
export async function decide(decisions) {
  const [place, open] = [here, waiting.value];
  waiting.value = null;
  const done = await attempt(() => post(`runs/${open.run_id}/decisions`, { decisions }));
  if (!done && place === here) waiting.value = open;
}

export async function stop() {
  if (!live.value) return;
  await attempt(() => post(`runs/${live.value.run.id}/cancel`));
}

// Takes a queued question back.
export async function unqueue({ run }) {
  await attempt(() => post(`runs/${run.id}/cancel`));
  queued.value = queued.value.filter((each) => each.run.id !== run.id);
}

// Asks another question in the place of an earlier one, in a conversation of its own.
export async function askInstead(message, text) {
  const from = here;
  await attempt(async () => {
    const fork = await forkedBefore(message);
    if (from !== here) return ask(text, "refuse", { id: fork.id });
    history.pushState(null, "", `#${fork.id}`);
    await ask(text, "refuse", open(fork.id));
    refresh();
  });
}
