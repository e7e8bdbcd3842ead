// The plan of a turn: its steps, how far each is, and what went in and came out.
import { count, cut, duration, pretty } from "../format.js";
import { html } from "../html.js";
import { Icon } from "../icons.js";

const MARKS = { finished: "check", failed: "close", skipped: "skipped", rejected: "skipped" };
const WORDS = {
  planned: "planned",
  started: "under way",
  waiting: "waits for you",
  finished: "finished",
  failed: "failed",
  skipped: "skipped",
  rejected: "rejected",
};
const LONGEST_ARGUMENTS = 90;

// What a person has unfolded stays so when the answer under way becomes one that is kept.
const unfolded = new Set();

export function Plan({ steps }) {
  if (!steps.length) return null;
  const sorted = [...steps].sort((a, b) => a.round - b.round || a.number - b.number);
  return html`
    <${Fold} id=${`plan ${sorted[0].id}`} class="plan">
      <summary>${summary(sorted)}</summary>
      <ol>
        ${sorted.map((step) => html`<${Step} key=${step.id} step=${step} />`)}
      </ol>
    <//>
  `;
}

function Fold({ id, class: name, children }) {
  const keep = ({ currentTarget: { open } }) => (open ? unfolded.add(id) : unfolded.delete(id));
  return html`<details class=${name} open=${unfolded.has(id)} onToggle=${keep}>${children}</details>`;
}

function summary(steps) {
  const open = steps.find((step) => step.status === "started");
  const waits = steps.some((step) => step.status === "waiting");
  const failed = steps.filter((step) => step.status === "failed").length;
  const state = open
    ? html`<i class="spinner"></i> ${open.tool}`
    : waits
      ? "waits for your decision"
      : failed
        ? `${failed} failed`
        : took(steps);
  return html`<${Icon} name="down" /><span>${count(steps.length, "step")}</span><span class="state">${state}</span>`;
}

function took(steps) {
  const timed = steps.filter((step) => step.started && step.ended);
  if (!timed.length) return "";
  const [from, to] = [Math.min(...timed.map((step) => step.started)), Math.max(...timed.map((step) => step.ended))];
  return duration((to - from) * 1000);
}

function Step({ step }) {
  const ms = step.ms ?? (step.started && step.ended ? (step.ended - step.started) * 1000 : null);
  const mark = MARKS[step.status];
  return html`
    <li class="step ${step.status}">
      <${Fold} id=${step.id}>
        <summary>
          ${mark ? html`<${Icon} name=${mark} />` : html`<i class=${step.status === "started" ? "spinner" : "dot"}></i>`}
          <code>${step.tool}</code>
          <span class="arguments">${brief(step.resolved ?? step.args)}</span>
          <span class="time"><span class="unseen">${WORDS[step.status] ?? step.status}</span> ${ms !== null && duration(ms)}</span>
        </summary>
        <dl>
          <${Part} name="Arguments" value=${step.resolved ?? step.args} />
          ${step.resolved && pretty(step.resolved) !== pretty(step.args) && html`<${Part} name="As planned" value=${step.args} />`}
          ${step.result !== undefined && step.result !== null && html`<${Part} name="Result" value=${step.result} />`}
        </dl>
      <//>
      ${step.error && html`<p class="wrong">${step.error}</p>`}
    </li>
  `;
}

function Part({ name, value }) {
  return html`<dt>${name}</dt>
    <dd><pre tabindex="0">${typeof value === "string" ? value : pretty(value)}</pre></dd>`;
}

function brief(args) {
  const text = Object.entries(args ?? {})
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
  return cut(text, LONGEST_ARGUMENTS);
}
