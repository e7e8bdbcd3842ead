// The person's own documents: uploading them, and how far their indexing is.
import { address, authorization, get, post, problemOf, remove as removeAt, unreachable } from "./api.js";
import { signal } from "./html.js";
import { attempt } from "./notices.js";

const BETWEEN = 1000; // milliseconds between looks while documents are being indexed

export const documents = signal(null); // null before they were read
export const uploads = signal([]); // {name, done: from 0 to 1}

let looking = null;

export async function refresh() {
  clearTimeout(looking);
  const { items } = await get("documents");
  documents.value = items;
  const underWay = items.some(({ status }) => status === "queued" || status === "indexing");
  if (underWay) looking = setTimeout(() => attempt(refresh), BETWEEN);
}

// Sends files, one request for all of them.
export async function upload(files) {
  if (!files.length) return;
  const label = files.length === 1 ? files[0].name : `${files.length} files`;
  const entry = { name: label, done: signal(0) };
  uploads.value = [...uploads.value, entry];
  try {
    await transfer(files, (done) => (entry.done.value = done));
  } finally {
    uploads.value = uploads.value.filter((other) => other !== entry);
  }
  await refresh();
}

// `fetch` does not tell how far an upload is.
function transfer(files, onProgress) {
  const form = new FormData();
  for (const file of files) form.append("files", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address("documents"));
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onerror = () => reject(unreachable());
    request.onload = () => {
      if (request.status < 300) return resolve(request.response);
      reject(problemOf(request.status, request.response, request.getResponseHeader("Retry-After")));
    };
    request.send(form);
  });
}

export async function remove(id) {
  await removeAt(`documents/${id}`);
  await refresh();
}

export async function reindex(id) {
  await post(`documents/${id}/reindex`);
  await refresh();
}
