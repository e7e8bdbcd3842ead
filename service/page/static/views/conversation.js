// The messages of a conversation, the turn under way at their end.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { Icon, IconButton } from "../icons.js";
import { failure, live, messages, opening, queued, thread, waiting } from "../state.js";
import { ask, unqueue } from "../turns.js";
import { Approval } from "./approval.js";
import { LiveAnswer, Message, Unfinished } from "./message.js";
import { Welcome } from "./welcome.js";

const NEAR = 80; // pixels from the end that still count as reading along

export function Conversation() {
  const { element, away, toEnd, scrolled } = useEnd();
  const empty = !messages.value.length && !live.value && !opening.value;
  return html`
    <div class="scroll" ref=${element} onScroll=${scrolled}>
      <div class="conversation" role="log" aria-label="Conversation" aria-busy=${Boolean(live.value)}>
        ${empty && !thread.value?.messages?.length && html`<${Welcome} />`}
        ${messages.value.map(
          (message, place, all) =>
            html`<${Message} key=${message.id} message=${message} asked=${all[place - 1]?.at} />`,
        )}
        ${live.value && html`<${LiveAnswer} turn=${live.value} />`}
        ${waiting.value && html`<${Approval} key=${waiting.value.since ?? waiting.value.run_id} asked=${waiting.value} />`}
        ${failure.value && html`<${Failure} ...${failure.value} />`}
        ${queued.value.map((each) => html`<${Queued} key=${each.run.id} question=${each} />`)}
      </div>
      ${away && html`<${IconButton} kind="to-end" name="down" label="To the latest message" onClick=${toEnd} />`}
    </div>
  `;
}

// Keeps the end in view for as long as the person reads along.
function useEnd() {
  const element = useRef(null);
  const along = useRef(true);
  const [away, setAway] = useState(false);
  const toEnd = () => (element.current.scrollTop = element.current.scrollHeight);
  const scrolled = () => {
    const { scrollHeight, scrollTop, clientHeight } = element.current;
    along.current = scrollHeight - scrollTop - clientHeight < NEAR;
    setAway(!along.current);
  };
  useLayoutEffect(() => {
    if (along.current) toEnd();
  });
  useLayoutEffect(() => {
    along.current = true;
    toEnd();
  }, [thread.value?.id, queued.value.length, messages.value.at(-1)?.role === "user"]);
  useEffect(() => {
    const observer = new ResizeObserver(() => along.current && toEnd());
    observer.observe(element.current);
    observer.observe(element.current.firstElementChild);
    return () => observer.disconnect();
  }, []);
  return { element, away, toEnd, scrolled };
}

function Failure({ text, message, written, stopped }) {
  return html`
    ${written && html`<${Unfinished} text=${written} />`}
    <div class=${stopped ? "failure stopped" : "failure"} role=${stopped ? "status" : "alert"}>
      <${Icon} name=${stopped ? "stop" : "warning"} />
      <p>${message}</p>
      ${text && html`<button type="button" onClick=${() => ask(text)}>Try again</button>`}
    </div>
  `;
}

function Queued({ question }) {
  return html`
    <article class="message user" aria-label="Your next question">
      <p class="bubble next">${question.text}</p>
      <p class="hint">
        Comes next
        <button class="link" type="button" onClick=${() => unqueue(question)}>Take back</button>
      </p>
    </article>
  `;
}
