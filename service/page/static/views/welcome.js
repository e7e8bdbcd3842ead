// A conversation that has not begun: who is there, and what one could ask.
import { html } from "../html.js";
import { beginning, persona, personas, speaker } from "../state.js";
import { ask } from "../turns.js";

const SUGGESTIONS = [
  "What can you help me with?",
  "What do your documents cover?",
  "Summarise the most important rules I should know.",
  "What is the date today, and what is 15 % of 249?",
];

export function Welcome() {
  return html`
    <section class="welcome" aria-label="Welcome">
      <h2>${speaker.value?.greeting || "Hello! What can I help you with?"}</h2>
      <p class="hint">Answers come from your documents and APIs, with their sources.</p>
      ${personas.value.length > 1 && html`<${PersonaChoice} />`}
      <ul class="suggestions">
        ${SUGGESTIONS.map((text) => html`<${Suggestion} text=${text} />`)}
      </ul>
    </section>
  `;
}

function Suggestion({ text }) {
  return html`<li><button type="button" disabled=${beginning.value} onClick=${() => ask(text)}>${text}</button></li>`;
}

function PersonaChoice() {
  return html`
    <fieldset class="personas">
      <legend>Talk to</legend>
      ${personas.value.map(
        ({ name, description }) => html`
          <label title=${description}>
            <input type="radio" name="persona" checked=${name === persona.value} onChange=${() => (persona.value = name)} />
            <span>${name}</span>
          </label>
        `,
      )}
      <p class="hint">${speaker.value?.description}</p>
    </fieldset>
  `;
}
