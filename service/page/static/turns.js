// Turns of the open conversation: asking, following, deciding, stopping.
import { get, post } from "./api.js";
import { follow } from "./events.js";
import { attempt } from "./notices.js";
import { busy, connected, failure, live, messages, opening, persona, queued, thread, waiting } from "./state.js";
import { changed, refresh } from "./threads.js";

let wanted = ""; // id of the conversation that is open, or about to be
let watching = null; // ends the following of a run
const asked = new Map(); // what was asked in this tab, by the run

// Asks in the open conversation, or in a new one. `ifBusy` says what happens while another answer is being written.
export async function ask(text, ifBusy = "refuse") {
  busy.value = failure.value = null;
  try {
    if (!thread.value) await begin();
    const run = await post(`threads/${thread.value.id}/runs`, { text, if_busy: ifBusy });
    asked.set(run.id, text);
    if (run.thread_id !== wanted) return; // another was opened meanwhile
    if (live.value && run.status === "queued") {
      queued.value = [...queued.value, { run, text }];
      return;
    }
    waiting.value = null; // it is withdrawn by another question
    messages.value = [...messages.value, questionOf(run)];
    watch(run);
    changed(run.thread_id);
    refresh();
  } catch (error) {
    if (error.code === "busy") busy.value = { text };
    else failure.value = { text, message: error.message };
  }
}

async function begin() {
  thread.value = await post("threads", persona.value ? { persona: persona.value } : {});
  wanted = thread.value.id;
  history.replaceState(null, "", `#${thread.value.id}`);
}

// Opens a conversation; none for a new one.
export async function open(id) {
  leave();
  wanted = id;
  thread.value = waiting.value = failure.value = busy.value = null;
  messages.value = queued.value = [];
  if (!id) return;
  opening.value = true;
  await attempt(() => load(id));
  opening.value = false;
}

// Reads the open conversation again, as another tab may have carried it on.
export async function reload() {
  if (thread.value && !live.value) await attempt(() => load(thread.value.id));
}

async function load(id) {
  const read = await get(`threads/${id}`);
  if (id !== wanted) return;
  thread.value = read;
  messages.value = read.run ? upTo(read.run, read.messages) : read.messages;
  waiting.value = read.waiting;
  // A question that waited may have been answered by now.
  const begun = new Set([read.run?.id, ...read.messages.map((message) => message.id)]);
  queued.value = queued.value.filter((each) => !begun.has(each.run.id));
  if (read.run) watch(read.run);
  else live.value = null;
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
  const turn = new Turn(run);
  turn.show();
  try {
    const told = (now) => (connected.value = now);
    for await (const event of follow(run.id, { signal: control.signal, onConnected: told })) {
      if (control.signal.aborted) return;
      turn.take(event);
    }
  } catch (error) {
    if (control.signal.aborted) return;
    turn.error = error.message;
  }
  await finish(turn);
}

// Shows what a turn came to, as the service keeps it.
async function finish(turn) {
  const id = turn.run.thread_id;
  const question = messages.value.findLast((message) => message.role === "user")?.text ?? "";
  turn.ended = true;
  watching = waiting.value = null;
  await attempt(() => load(id));
  if (!watching) live.value = null;
  if (turn.error) failure.value = { text: question, message: turn.error };
  changed(id);
  refresh();
}

// Returns a copy of the open conversation as it was before a question.
async function forkedBefore(message) {
  const answer = messages.value.slice(0, messages.value.indexOf(message)).findLast(({ role }) => role === "assistant");
  if (!answer) return post("threads", { persona: thread.value.persona });
  const { items } = await get(`threads/${thread.value.id}/checkpoints`);
  const end = items.find((each) => each.message_id === answer.id);
  return post(`threads/${thread.value.id}/fork`, { checkpoint: end.id });
}

// The turn under way, as its events tell it.
class Turn {
  text = "";
  steps = new Map();
  error = null;
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
    for (const [id, { status }] of this.steps) if (status === "started") this.steps.delete(id);
  }

  on_waiting(asked) {
    this.status = "waiting";
    waiting.value = asked;
    refresh();
  }

  on_answer(message) {
    this.text = message.text;
  }

  on_error({ message }) {
    this.error = message;
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
  const open = waiting.value;
  waiting.value = null;
  const done = await attempt(() => post(`runs/${open.run_id}/decisions`, { decisions }));
  if (!done) waiting.value = open;
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
  await attempt(async () => {
    const fork = await forkedBefore(message);
    history.pushState(null, "", `#${fork.id}`);
    await open(fork.id);
    await ask(text);
    refresh();
  });
}
