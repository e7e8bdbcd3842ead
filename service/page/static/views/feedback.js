// Whether an answer was good, and what it should have been.
import { put } from "../api.js";
import { useFocus } from "../focus.js";
import { html, useState } from "../html.js";
import { IconButton } from "../icons.js";
import { attempt, notify } from "../notices.js";
import { thread } from "../state.js";

const NONE = { thumb: null, comment: "", correction: "" };

export function Feedback({ message }) {
  const [given, setGiven] = useState(message.feedback ?? NONE);
  const [open, setOpen] = useState(false);
  const keep = async (feedback) => {
    const path = `threads/${thread.value.id}/messages/${message.id}/feedback`;
    const { thumb, comment, correction } = feedback;
    if (!(await attempt(async () => (await put(path, { thumb, comment, correction })) ?? true))) return false;
    setGiven(feedback);
    return true;
  };
  const press = async (thumb) => {
    const again = given.thumb === thumb;
    if (await keep(again ? NONE : { ...given, thumb })) setOpen(!again);
  };
  const submit = async (texts) => {
    if (!(await keep({ ...given, ...texts }))) return;
    setOpen(false);
    notify("Thank you. It was kept.");
  };
  return html`
    <${Thumb} thumb="up" label="Good answer" given=${given} onPress=${press} />
    <${Thumb} thumb="down" label="Bad answer" given=${given} onPress=${press} />
    ${open && html`<${Details} given=${given} onSubmit=${submit} onClose=${() => setOpen(false)} />`}
  `;
}

function Thumb({ thumb, label, given, onPress }) {
  const pressed = given.thumb === thumb;
  return html`
    <${IconButton}
      name="up"
      turned=${thumb === "down"}
      label=${label}
      aria-pressed=${pressed}
      onClick=${() => onPress(thumb)}
    />
  `;
}

function Details({ given, onSubmit, onClose }) {
  const [comment, setComment] = useState(given.comment);
  const [correction, setCorrection] = useState(given.correction);
  const submitted = (event) => {
    event.preventDefault();
    onSubmit({ comment: comment.trim(), correction: correction.trim() });
  };
  return html`
    <form class="feedback" onSubmit=${submitted}>
      <label>
        ${given.thumb === "up" ? "What was good about it?" : "What is wrong with it?"}
        <input ref=${useFocus()} value=${comment} onInput=${(event) => setComment(event.target.value)} />
      </label>
      ${
        given.thumb === "down" &&
        html`<label>
        What should the answer have been?
        <textarea rows="3" value=${correction} onInput=${(event) => setCorrection(event.target.value)}></textarea>
      </label>`
      }
      <div class="buttons">
        <button type="button" onClick=${onClose}>Close</button>
        <button class="primary" type="submit">Send</button>
      </div>
    </form>
  `;
}
