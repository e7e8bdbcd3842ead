// One message: a question, an answer, or the answer that is being written.
import { copy } from "../clipboard.js";
import { useFocus } from "../focus.js";
import { place, usageLine } from "../format.js";
import { html, useMemo, useState } from "../html.js";
import { Icon, IconButton } from "../icons.js";
import { Markdown } from "../markdown.js";
import { live, side } from "../state.js";
import { askInstead } from "../turns.js";
import { Feedback } from "./feedback.js";
import { Plan } from "./plan.js";

// `asked` is when the message before was sent.
export const Message = ({ message, asked }) =>
  message.role === "user"
    ? html`<${Question} message=${message} />`
    : html`<${Answer} message=${message} ms=${asked && message.at ? (message.at - asked) * 1000 : null} />`;

const showSource = (number) => (side.value = { kind: "source", number });

function Question({ message }) {
  const [editing, setEditing] = useState(false);
  if (editing) return html`<${Editing} message=${message} onDone=${() => setEditing(false)} />`;
  return html`
    <article class="message user" aria-label="You">
      <p class="bubble">${message.text}</p>
      <div class="actions">
        ${!live.value && html`<${IconButton} name="edit" label="Edit and ask again" onClick=${() => setEditing(true)} />`}
        <${CopyButton} text=${message.text} label="Copy the question" />
      </div>
    </article>
  `;
}

function Editing({ message, onDone }) {
  const [text, setText] = useState(message.text);
  const submitted = (event) => {
    event.preventDefault();
    if (!text.trim()) return;
    onDone();
    askInstead(message, text.trim());
  };
  const pressed = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submitted(event);
    if (event.key !== "Escape") return;
    event.preventDefault();
    onDone();
  };
  return html`
    <form class="message user editing" onSubmit=${submitted}>
      <textarea
        aria-label="Your question"
        rows="3"
        ref=${useFocus()}
        value=${text}
        onInput=${(event) => setText(event.target.value)}
        onKeyDown=${pressed}
      ></textarea>
      <div class="buttons">
        <span class="hint">Goes on in a new conversation; this one stays.</span>
        <button type="button" onClick=${onDone}>Cancel</button>
        <button class="primary" type="submit">Ask again</button>
      </div>
    </form>
  `;
}

function Answer({ message, ms }) {
  const sources = message.sources ?? [];
  const titles = useMemo(() => new Map(sources.map((source) => [source.number, source.title])), [message]);
  return html`
    <article class="message assistant" aria-label="Assistant">
      <${Plan} steps=${message.plan ?? []} />
      ${message.degraded && html`<p class="degraded"><${Icon} name="warning" /> ${message.degraded}</p>`}
      <${Markdown} text=${message.text} titles=${titles} flags=${message.flags} onCite=${showSource} />
      ${message.flags?.length > 0 && html`<${Flags} flags=${message.flags} />`}
      ${sources.length > 0 && html`<${Sources} sources=${sources} />`}
      <footer>
        <div class="actions">
          <${CopyButton} text=${message.text} label="Copy the answer" />
          <${Feedback} message=${message} />
        </div>
        ${message.usage && html`<p class="usage">${usageLine(message.usage, ms)}</p>`}
      </footer>
    </article>
  `;
}

function Flags({ flags }) {
  return html`
    <ul class="flags" aria-label="To be doubted">
      ${flags.map(
        ({ text, detail }) => html`<li><${Icon} name="warning" /> <span>${text && html`<b>${text}</b>: `}${detail}</span></li>`,
      )}
    </ul>
  `;
}

function Sources({ sources }) {
  return html`
    <ul class="sources" aria-label="Sources">
      ${sources.map(
        (source) => html`
          <li>
            <button type="button" onClick=${() => showSource(source.number)} title=${place(source)}>
              <b>${source.number}</b> <span>${source.title || source.document}</span>
            </button>
          </li>
        `,
      )}
    </ul>
  `;
}

export function LiveAnswer({ turn }) {
  return html`
    <article class="message assistant live" aria-label="Assistant" aria-busy="true">
      <${Plan} steps=${turn.steps} />
      ${
        turn.text
          ? html`<${Markdown} text=${turn.text} onCite=${showSource} />`
          : turn.status !== "waiting" &&
            html`<p class="thinking">${THINKING[turn.status] ?? "Thinking"}<i></i><i></i><i></i></p>`
      }
    </article>
  `;
}

// What was written of an answer that did not come to its end.
export const Unfinished = ({ text }) => html`
  <article class="message assistant" aria-label="Assistant"><${Markdown} text=${text} onCite=${showSource} /></article>
`;

const THINKING = { queued: "Waiting for its turn" };

function CopyButton({ text, label }) {
  const [copied, setCopied] = useState(false);
  const press = async () => {
    await copy(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<${IconButton} name=${copied ? "check" : "copy"} label=${copied ? "Copied" : label} onClick=${press} />`;
}
