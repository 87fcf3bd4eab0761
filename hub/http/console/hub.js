// The hub's API.

import { problem, t } from "./i18n.js";

/// Why something was not done, in words for the user.
export class Problem extends Error {
    constructor(status, detail) {
        super(detail);
        this.status = status;
    }
}

let onUnauthorized = () => {};
/// What is done when the hub wants to know who is there.
export function whenUnauthorized(action) {
    onUnauthorized = action;
}

function problemOf(status, text) {
    let detail;
    try {
        detail = problem(JSON.parse(text));
    } catch {
        detail = null;
    }
    if (status === 401) onUnauthorized();
    return new Problem(status, detail || t("error.status", { status }));
}

async function ask(method, path, type, body) {
    let answer;
    let text;
    try {
        answer = await fetch(path, { method, headers: type ? { "content-type": type } : {}, body });
        text = await answer.text();
    } catch {
        throw new Problem(0, t("error.unreachable"));
    }
    if (!answer.ok) throw problemOf(answer.status, text);
    return text ? JSON.parse(text) : null;
}

/// Asks for something; `body` goes as JSON.
export const call = (method, path, body) =>
    body === undefined ? ask(method, path) : ask(method, path, "application/json", JSON.stringify(body));

/// Sends a file as it is.
export const post = (path, file) => ask("POST", path, "application/octet-stream", file);

/// What is no JSON: whether the answer is a good one, and its text.
export async function plain(address) {
    let answer;
    try {
        answer = await fetch(address);
        const text = await answer.text();
        if (answer.status === 401) onUnauthorized();
        return { ok: answer.ok, text };
    } catch {
        throw new Problem(0, t("error.unreachable"));
    }
}

/// An address with what is asked for; what is undefined is not.
export function withQuery(path, query) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

/// The entries of every page of a list.
export async function callAll(path, list, query = {}) {
    const entries = [];
    let after;
    do {
        const page = await call("GET", withQuery(path, { ...query, after }));
        for (const entry of page[list]) entries.push(entry);
        after = page.next;
    } while (after !== undefined);
    return entries;
}

/// Sends a firmware. `progress(sent, total)` is told how far it is; `signal` ends it early.
export function upload(what, file, progress, signal) {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.open("POST", `api/firmware?${new URLSearchParams(what)}`);
        request.setRequestHeader("content-type", "application/octet-stream");
        request.upload.addEventListener("progress", (event) => progress(event.loaded, event.total));
        request.addEventListener("load", () => {
            if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
            else reject(problemOf(request.status, request.responseText));
        });
        request.addEventListener("error", () => reject(new Problem(0, t("error.upload"))));
        request.addEventListener("abort", () => reject(new Problem(0, t("error.aborted"))));
        signal.addEventListener("abort", () => request.abort());
        request.send(file);
    });
}

export const path = (...parts) => ["api", ...parts.map(encodeURIComponent)].join("/");
