// The events of a run, as they come over the wire: each once and in order, over as many connections as it takes.
import { send } from "./api.js";
import { parse } from "./json.js";

const LONGEST_WAIT = 10_000;

// Reads server-sent events from a stream of bytes.
export async function* parsed(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = {};
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data !== undefined) yield { ...event, data: parse(event.data) };
        event = {};
      } else if (!line.startsWith(":")) {
        const [, field, content] = /^([^:]*):? ?(.*)$/.exec(line);
        event[field] = field === "data" && event.data !== undefined ? `${event.data}\n${content}` : content;
      }
    }
  }
}

// Yields the events of a run until its end. `onConnected(connected)` hears whether they are coming.
export async function* follow(runId, { signal, onConnected = () => {} }) {
  let last = 0;
  let failures = 0;
  for (;;) {
    let wait = Math.min(500 * 2 ** failures++, LONGEST_WAIT);
    try {
      const headers = last ? { "Last-Event-ID": String(last) } : {};
      const response = await send("GET", `runs/${runId}/events`, { headers, signal });
      onConnected(true);
      for await (const event of parsed(response.body)) {
        failures = 0;
        if (event.event === "leaving") break; // another process goes on with it
        // One without a number could not be recorded, and comes only once.
        if (event.id !== undefined && Number(event.id) <= last) continue;
        last = Number(event.id ?? last);
        yield event;
        if (event.event === "end") return;
      }
    } catch (error) {
      if (signal.aborted || (error.status >= 400 && error.status < 500 && error.status !== 429)) throw error;
      wait = Math.max(wait, (error.retryAfter ?? 0) * 1000);
    }
    onConnected(false);
    await pause(wait, signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const settle = (settled) => () => {
      clearTimeout(timer);
      window.removeEventListener("online", early);
      settled();
    };
    const early = settle(resolve);
    const timer = setTimeout(early, milliseconds);
    window.addEventListener("online", early, { once: true });
    signal.addEventListener(
      "abort",
      settle(() => reject(signal.reason)),
      { once: true },
    );
  });
}
