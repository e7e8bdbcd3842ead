// The dialogs that stop everything else: the key, and a last question before something is deleted.
import { keyWanted } from "../api.js";
import { html, signal, useLayoutEffect, useRef, useState } from "../html.js";

const asked = signal(null);

// Asks before something is done that cannot be undone.
export function confirmed(title, text, action) {
  return new Promise((answer) => {
    asked.value = { title, text, action, answer };
  });
}

function Dialog({ label, onClose, children }) {
  const element = useRef(null);
  useLayoutEffect(() => element.current.showModal(), []);
  return html`<dialog ref=${element} aria-label=${label} onClose=${onClose}>${children}</dialog>`;
}

export function Confirmation() {
  if (!asked.value) return null;
  const { title, text, action, answer } = asked.value;
  const close = (yes) => {
    asked.value = null;
    answer(yes);
  };
  return html`
    <${Dialog} label=${title} onClose=${() => asked.value && close(false)}>
      <h2>${title}</h2>
      <p>${text}</p>
      <div class="buttons">
        <button type="button" onClick=${() => close(false)}>Cancel</button>
        <button class="danger" type="button" onClick=${() => close(true)}>${action}</button>
      </div>
    <//>
  `;
}

export function KeyDialog() {
  const [given, setGiven] = useState("");
  if (!keyWanted.value) return null;
  const { refused, answer } = keyWanted.value;
  const submitted = (event) => {
    event.preventDefault();
    if (!given.trim()) return;
    setGiven("");
    answer(given.trim());
  };
  return html`
    <${Dialog} label="Sign in" onClose=${(event) => event.target.showModal()}>
      <form onSubmit=${submitted}>
        <h2>Sign in</h2>
        <p>Enter the access key that you were given. It is kept until you close this tab.</p>
        <label>
          Access key
          <input
            type="password"
            autocomplete="current-password"
            required
            value=${given}
            aria-invalid=${refused}
            onInput=${(event) => setGiven(event.target.value)}
          />
        </label>
        ${refused && html`<p class="wrong" role="alert">That key was not accepted.</p>`}
        <div class="buttons"><button class="primary" type="submit">Sign in</button></div>
      </form>
    <//>
  `;
}
