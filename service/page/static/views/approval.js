// Writes that wait for a person: the exact request of each, and what is to become of it.
import { count, pretty } from "../format.js";
import { difference } from "../diff.js";
import { useFocus } from "../focus.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { asWritten, exact } from "../json.js";
import { decide } from "../turns.js";

const REQUEST = /^(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (https?:\S+)$/m;

export function Approval({ asked }) {
  const { actions } = asked;
  const element = useRef(null);
  // A tall card is read from its beginning.
  useEffect(() => element.current.scrollIntoView({ block: "start" }), []);
  const [decisions, setDecisions] = useState(actions.map(() => null));
  const single = actions.length === 1;
  const take = (place) => (decision) => {
    const all = decisions.map((kept, i) => (i === place ? decision : kept));
    setDecisions(all);
    if (single && decision) decide(all);
  };
  const left = decisions.filter((decision) => !decision).length;
  return html`
    <section class="approval" ref=${element} role="group" aria-label="Waiting for your decision">
      <h2>${single ? "May I do this?" : `May I do these ${actions.length} things?`}</h2>
      <p class="hint">Nothing is sent before you decide.</p>
      ${actions.map(
        (action, place) =>
          html`<${Write} key=${place} action=${action} decision=${decisions[place]} onDecided=${take(place)} />`,
      )}
      ${
        !single &&
        html`
        <div class="buttons">
          <span class="hint">${left ? `${count(left, "decision")} left` : "All decided"}</span>
          <button type="button" onClick=${() => setDecisions(decisions.map((each) => each ?? { type: "approve" }))} disabled=${!left}>
            Approve the rest
          </button>
          <button class="primary" type="button" disabled=${left > 0} onClick=${() => decide(decisions)}>Continue</button>
        </div>
      `
      }
    </section>
  `;
}

const DECIDED = { approve: "Approved", edit: "Approved with your changes", reject: "Rejected" };

function Write({ action, decision, onDecided }) {
  const [mode, setMode] = useState(null); // null, "edit" or "reject"
  const settle = (made) => {
    setMode(null);
    onDecided(made);
  };
  return html`
    <article class="write" aria-label=${action.name}>
      <${Request} action=${action} />
      ${
        decision
          ? html`<p class="decided ${decision.type}">
            ${DECIDED[decision.type]}
            <button class="link" type="button" onClick=${() => onDecided(null)}>Change</button>
          </p>`
          : mode === "edit"
            ? html`<${Edit} action=${action} onDone=${settle} onCancel=${() => setMode(null)} />`
            : mode === "reject"
              ? html`<${Reject} onDone=${settle} onCancel=${() => setMode(null)} />`
              : html`
                <div class="buttons">
                  <button type="button" onClick=${() => setMode("reject")}>Reject</button>
                  ${exact && html`<button type="button" onClick=${() => setMode("edit")}>Edit</button>`}
                  <button class="primary" type="button" onClick=${() => settle({ type: "approve" })}>Approve</button>
                </div>
              `
      }
    </article>
  `;
}

function Request({ action }) {
  const found = REQUEST.exec(action.description);
  const [before, after] = found
    ? [action.description.slice(0, found.index).trim(), action.description.slice(found.index + found[0].length + 1)]
    : ["", action.description];
  return html`
    <h3>${action.name}</h3>
    ${before && html`<p class="note">${before}</p>`}
    <div class="request">
      ${found && html`<p class="request-line"><b class=${found[1].toLowerCase()}>${found[1]}</b> <span>${found[2]}</span></p>`}
      ${after.trim() && html`<pre tabindex="0">${readable(after)}</pre>`}
    </div>
  `;
}

// Spreads the JSON body over lines, where it is one, and where that changes no number.
function readable(text) {
  const body = text.indexOf("\n\n");
  try {
    return `${text.slice(0, body + 2)}${pretty(asWritten(text.slice(body + 2)))}`;
  } catch {
    return text;
  }
}

function Edit({ action, onDone, onCancel }) {
  const before = pretty(action.args);
  const [text, setText] = useState(before);
  const { args, wrong } = read(text);
  const submitted = (event) => {
    event.preventDefault();
    if (wrong) return;
    const changed = pretty(args) !== before;
    onDone(changed ? { type: "edit", edited_action: { name: action.name, args } } : { type: "approve" });
  };
  return html`
    <form class="edit" onSubmit=${submitted}>
      <label>
        Arguments, as JSON
        <textarea
          rows=${Math.min(16, text.split("\n").length + 1)}
          spellcheck="false"
          aria-invalid=${Boolean(wrong)}
          ref=${useFocus()}
          value=${text}
          onInput=${(event) => setText(event.target.value)}
        ></textarea>
      </label>
      ${wrong ? html`<p class="wrong" role="alert">${wrong}</p>` : html`<${Difference} before=${before} after=${pretty(args)} />`}
      <div class="buttons">
        <button type="button" onClick=${onCancel}>Cancel</button>
        <button class="primary" type="submit" disabled=${Boolean(wrong)}>Approve with these</button>
      </div>
    </form>
  `;
}

function read(text) {
  try {
    const args = asWritten(text);
    const isObject = args !== null && typeof args === "object" && !Array.isArray(args);
    return isObject ? { args } : { wrong: "The arguments must be an object: {…}" };
  } catch (error) {
    return { wrong: `That is no JSON: ${error.message}` };
  }
}

function Difference({ before, after }) {
  if (before === after) return html`<p class="hint">Nothing is changed yet.</p>`;
  return html`
    <pre class="difference" aria-label="What you changed" tabindex="0">${difference(before, after).map(
      ([mark, line]) => html`<span class=${CHANGES[mark]}>${`${mark} ${line}\n`}</span>`,
    )}</pre>
  `;
}

const CHANGES = { "+": "put-in", "-": "taken-out", " ": "" };

function Reject({ onDone, onCancel }) {
  const [reason, setReason] = useState("");
  const submitted = (event) => {
    event.preventDefault();
    onDone({ type: "reject", message: reason.trim() });
  };
  return html`
    <form class="edit" onSubmit=${submitted}>
      <label>
        Why not? The assistant will be told.
        <input ref=${useFocus()} value=${reason} onInput=${(event) => setReason(event.target.value)} />
      </label>
      <div class="buttons">
        <button type="button" onClick=${onCancel}>Cancel</button>
        <button class="danger" type="submit">Reject</button>
      </div>
    </form>
  `;
}
