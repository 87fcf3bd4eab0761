// Pieces that several views show.

import { copy, download, h, onPress, setClass, setText } from "./dom.js";
import { fullTime, has, number, t, time } from "./i18n.js";
import { store } from "./store.js";

/// A time with the exact one to be found under the pointer.
export function timeCell(className) {
    const node = h("time", { class: className });
    let shown;
    return {
        node,
        set(ms, otherwise = "–") {
            if (shown === ms && node.textContent) return;
            shown = ms;
            if (ms === null || ms === undefined) {
                node.removeAttribute("datetime");
                node.removeAttribute("title");
                setText(node, otherwise);
                return;
            }
            node.setAttribute("datetime", new Date(ms).toISOString());
            node.title = fullTime(ms);
            setText(node, time(ms));
        },
    };
}

/// The failure's reason in words: what the code means, then what the device said about it.
export function reasonOf(job) {
    if (job.state !== "failed") return "";
    const { result_code: code, result_msg: said } = job;
    let reason;
    if (code === null || code === undefined) reason = t("reason.none");
    else reason = has(`reason.${code}`) ? t(`reason.${code}`) : t("reason.code", { code: String(code) });
    // The C SDK says `time_out` whatever happened.
    return said && said !== "time_out" ? t("reason.device", { reason, text: said }) : reason;
}

/// A state as a word with a mark, so that colour is never all there is.
export function stateTag() {
    const node = h("span", { class: "tag" });
    return {
        node,
        set(state) {
            setClass(node, `tag ${state}`);
            setText(node, t(`state.${state}`));
        },
    };
}

/// The name of what is known of a connection.
export const onlineName = (online) => (online === null ? "unknown" : online ? "yes" : "no");

/// Whether a device is connected, as a word.
export function onlineMark() {
    const node = h("span", { class: "online" });
    return {
        node,
        set(online) {
            const name = onlineName(online);
            setClass(node, `online ${name}`);
            setText(node, t(`online.${name}`));
        },
    };
}

/// How far one device is, of 100.
export function percentOf(job) {
    if (job.state === "done" || job.state === "burning") return 100;
    return job.percent ?? 0;
}

/// A progress bar with its figure.
export function bar(labelOf) {
    const progress = h("progress", { max: "100", value: "0" });
    const figure = h("span", { class: "percent" });
    const node = h("div", { class: "bar" }, progress, figure);
    return {
        node,
        set(job) {
            const percent = percentOf(job);
            if (!progress.hasAttribute("aria-label")) progress.setAttribute("aria-label", labelOf(job));
            if (progress.value !== percent) progress.value = percent;
            setClass(progress, job.state);
            const begun = !["waiting", "sent"].includes(job.state);
            setText(figure, begun && (percent > 0 || job.state === "downloading") ? `${percent} %` : "");
        },
    };
}

export const totalOf = (counts) => counts.waiting + counts.running + counts.done + counts.failed + counts.cancelled;

/// An order that may still do something.
export const isActive = (upgrade) => upgrade.counts.waiting + upgrade.counts.running > 0 || stands(upgrade);

/// An order that also takes devices that come later.
export const stands = ({ scope, cancelled_at: cancelled }) => (scope === "all" || scope === "tagged") && cancelled === null;

const SEGMENTS = ["done", "running", "failed", "cancelled", "waiting"];

/// An order's bar: who is done, under way, failed, called off; the rest waits.
export function stack() {
    const parts = Object.fromEntries(SEGMENTS.map((name) => [name, h("span", { class: `segment ${name}` })]));
    const fill = h("span", { class: "fill" });
    parts.running.append(fill);
    const node = h("div", { class: "stack", role: "img" }, Object.values(parts));
    return {
        node,
        /// `percent` is how far the running ones are on average.
        set(counts, percent) {
            for (const name of SEGMENTS) {
                parts[name].hidden = counts[name] === 0;
                parts[name].style.flexGrow = counts[name];
            }
            fill.style.inlineSize = `${percent}%`;
            const label = t("upgrades.progressLabel", { ...counts, total: totalOf(counts) });
            if (node.getAttribute("aria-label") !== label) node.setAttribute("aria-label", label);
        },
    };
}

/// The figures beside the bar: those that are not zero.
export function figures() {
    const node = h("ul", { class: "figures" });
    let before = "";
    return {
        node,
        set(counts) {
            const now = SEGMENTS.map((name) => counts[name]).join();
            if (now === before) return;
            before = now;
            node.replaceChildren(
                ...SEGMENTS.filter((name) => counts[name] > 0).map((name) =>
                    h("li", { class: `tag ${name}` }, `${t(`state.${name}`)} ${number(counts[name])}`),
                ),
            );
        },
    };
}

/// What an order is for, in words.
export function scopeText(upgrade) {
    const scope = t(`scope.${upgrade.scope}`, { tag: upgrade.tag });
    if (upgrade.scope === "listed") return scope;
    const from = upgrade.from_versions.length
        ? t("scope.from", { versions: upgrade.from_versions.join(", ") })
        : t("scope.any");
    return `${scope} · ${from}`;
}

/// A name of the device that people know, where its product is: a client id is the product's id and the name.
export const nameOf = (clientId, product = "") => (clientId.startsWith(product) ? clientId.slice(product.length) : clientId);

/// Asks for the next page of a list, where there is one. `pages` may be of the store, or have `next` and `more` as these do.
export function moreButton(pages, tell) {
    const node = h("button", { type: "button" }, t("action.more"));
    onPress(node, () => pages.more(), (text) => text && tell(text));
    return {
        node: h("p", { class: "more" }, node),
        update() {
            node.hidden = pages.next === undefined;
        },
    };
}

/// Does something when somebody has stopped typing for a moment, unless `cancel` is called before.
export function later(work, ms = 250) {
    let timer;
    const begin = () => {
        begin.cancel();
        timer = setTimeout(work, ms);
    };
    begin.cancel = () => clearTimeout(timer);
    return begin;
}

/// The tags of a device, each as a mark of its own.
export function tagList() {
    const node = h("span", { class: "tags" });
    let before = "";
    return {
        node,
        set(tags) {
            const now = tags.join(" ");
            if (now === before) return;
            before = now;
            node.replaceChildren(...tags.map((tag) => h("span", { class: "tag-word" }, tag)));
        },
    };
}

const ADDRESSES = ["mqtt_psk", "mqtt_cert", "mqtt", "coap_psk", "coap_cert", "coap", "http", "https"];

/// Where devices connect to, and the CA to trust.
export function addresses() {
    const hub = store.hub;
    if (!hub) return null;
    const lines = hub.broker ? [["address.broker", hub.broker]] : [];
    for (const name of ADDRESSES) {
        if (hub.addresses?.[name]) lines.push([`address.${name}`, hub.addresses[name]]);
    }
    return h(
        "div",
        { class: "addresses" },
        h("dl", {}, lines.map(([label, value]) => h("div", {}, h("dt", {}, t(label)), h("dd", {}, h("code", {}, value))))),
        hub.ca_pem &&
            h(
                "p",
                {},
                h("button", { type: "button", on: { click: () => download("ca.pem", hub.ca_pem, "application/x-pem-file") } }, t("action.download", { name: "ca.pem" })),
            ),
        h("p", { class: "hint" }, t("address.hint")),
    );
}

/// A text with a button that copies it.
export function copyable(text, className, onCopy) {
    const button = h("button", { type: "button", class: "small" }, t("action.copy"));
    const said = h("span", { class: "off-screen", role: "status" });
    button.addEventListener("click", async () => {
        const done = await copy(text);
        setText(button, done ? t("action.copied") : t("action.copy"));
        setText(said, done ? t("action.copied") : t("action.copyFailed"));
        onCopy?.();
    });
    return h("div", { class: `copyable ${className}` }, h("code", {}, text), button, said);
}

/// A table whose cells say what they are, also where the page is too narrow for columns.
export function table(label, columns) {
    const body = h("tbody", { role: "rowgroup" });
    const head = h(
        "thead",
        { role: "rowgroup" },
        h("tr", { role: "row" }, columns.map(([name, className]) => h("th", { scope: "col", role: "columnheader", class: className }, name))),
    );
    return { node: h("table", { role: "table", "aria-label": label }, head, body), body };
}

export const row = (...cells) => h("tr", { role: "row" }, cells);
export const cell = (className, ...content) => h("td", { role: "cell", class: className }, content);
/// The cell that names the row.
export const headCell = (className, ...content) => h("th", { scope: "row", role: "rowheader", class: className }, content);

/// A table of upgrades of devices, whose rows are named by what `first` says.
export function jobTable(label, first) {
    const list = table(label, [
        [first, "c-name"],
        [t("upgrade.versions"), "c-versions"],
        [t("upgrade.state"), "c-state"],
        [t("upgrade.progress"), "c-progress"],
        [t("upgrade.updated"), "c-when"],
    ]);
    list.node.classList.add("jobs");
    return list;
}

/// A row of it: the upgrade of one device. `tell` fills the link that names it and what stands in `versions`.
export function jobRow(versions, labelOf, tell) {
    const name = h("a");
    const state = stateTag();
    const reason = h("span", { class: "reason" });
    const progress = bar((job) => t("upgrade.progressOf", { name: labelOf(job) }));
    const when = timeCell("when");
    const node = row(
        headCell("c-name", name),
        cell("c-versions", ...versions),
        cell("c-state", state.node, reason),
        cell("c-progress", progress.node),
        cell("c-when", when.node),
    );
    return {
        node,
        update(job) {
            tell(job, name);
            state.set(job.state);
            setText(reason, reasonOf(job));
            progress.set(job);
            when.set(job.updated_at);
        },
    };
}

/// The kinds of names the hub takes (it checks them itself).
export const NAME = /^[A-Za-z0-9_.:-]+$/;
