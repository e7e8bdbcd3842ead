// Requests to the service. Paths are relative to the page, wherever it is mounted.
import { signal } from "./html.js";
import { parse } from "./json.js";

const KEY = "selfhelp-key";
const BASE = new URL("api/", new URL(".", location.href));

export const key = signal(sessionStorage.getItem(KEY) ?? "");
// Set while a person is asked for a key: {refused: whether one was tried, answer: takes the key}.
export const keyWanted = signal(null);

class ApiError extends Error {
  constructor(status, message, code, retryAfter = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

export const address = (path) => new URL(path, BASE);
export const authorization = () => (key.value ? { Authorization: `Bearer ${key.value}` } : {});

export function keepKey(given) {
  key.value = given;
  if (given) sessionStorage.setItem(KEY, given);
  else sessionStorage.removeItem(KEY);
}

let asking = null;

function askForKey() {
  asking ??= new Promise((resolve) => {
    const answer = (given) => {
      keepKey(given);
      keyWanted.value = asking = null;
      resolve();
    };
    keyWanted.value = { refused: Boolean(key.value), answer };
  });
  return asking;
}

// Sends a request and returns the response; asks for a key and tries again where one is wanted.
export async function send(method, path, { json, headers, signal } = {}) {
  const body = json === undefined ? {} : { body: JSON.stringify(json) };
  const content = json === undefined ? {} : { "Content-Type": "application/json" };
  for (;;) {
    const used = key.value;
    const all = { ...content, ...headers, ...authorization() };
    let response;
    try {
      response = await fetch(address(path), { method, headers: all, signal, ...body });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw unreachable();
    }
    if (response.ok) return response;
    if (response.status !== 401) throw await problem(response);
    // Another request may have got a key meanwhile.
    if (used === key.value) await askForKey();
  }
}

async function parsed(method, path, json) {
  const response = await send(method, path, { json });
  return response.status === 204 ? null : parse(await response.text());
}

export const get = (path) => parsed("GET", path);
export const post = (path, json = {}) => parsed("POST", path, json);
export const patch = (path, json) => parsed("PATCH", path, json);
export const put = (path, json) => parsed("PUT", path, json);
export const remove = (path) => parsed("DELETE", path);

export function unreachable() {
  const message = navigator.onLine
    ? "The assistant cannot be reached. Please try again in a moment."
    : "You are offline. Please try again once you are connected.";
  return new ApiError(0, message, "unreachable");
}

async function problem(response) {
  const body = await response.json().catch(() => ({}));
  return problemOf(response.status, body, response.headers.get("Retry-After"));
}

// The error that a response stands for, in words for a person.
export function problemOf(status, body, retryAfter) {
  const error = body?.error ?? {};
  const seconds = Number(retryAfter) || null;
  if (status === 429) {
    const wait = seconds ? `Please try again in ${seconds} s.` : "Please wait a moment and try again.";
    return new ApiError(429, `That was too much at once. ${wait}`, error.code, seconds);
  }
  const message = error.message ?? `The assistant answered with an error (${status}).`;
  return new ApiError(status, message, error.code, seconds);
}
