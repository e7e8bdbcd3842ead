// A cited passage, marked in its surroundings.
import { get } from "../api.js";
import { place } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { thread } from "../state.js";
import { Side } from "./side.js";

export function Source({ number }) {
  const [source, setSource] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    let left = false;
    setSource(null);
    setError(null);
    get(`threads/${thread.value.id}/sources/${number}`).then(
      (read) => left || setSource(read),
      (problem) => left || setError(problem.message),
    );
    return () => (left = true);
  }, [number]);
  return html`
    <${Side} title=${`Source ${number}`}>
      ${error && html`<p class="wrong" role="alert">${error}</p>`}
      ${source && html`<${Passage} source=${source} />`}
    <//>
  `;
}

function Passage({ source }) {
  const mark = useRef(null);
  useEffect(() => mark.current.scrollIntoView({ block: "center" }), []);
  return html`
    <header class="passage-head">
      <h3>${source.title || source.document}</h3>
      ${source.heading && html`<p class="path">${source.heading}</p>`}
      <p class="hint">${place(source)}</p>
    </header>
    <div class="passage" tabindex="0" role="group" aria-label="The passage in its document">
      ${source.before && html`<p>${source.before.trimEnd()}</p>`}
      <p><mark ref=${mark}>${source.text}</mark></p>
      ${source.after && html`<p>${source.after.trimStart()}</p>`}
    </div>
    ${
      /^https?:/i.test(source.uri) &&
      html`<p><a href=${source.uri} target="_blank" rel="noopener noreferrer">Open the document</a></p>`
    }
  `;
}
