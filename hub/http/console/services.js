// What a device does besides upgrades: its shadow, requests to it, the devices behind it, files for it and from it, its log. Each part asks the hub
// when it is opened, and again when somebody wants to know how it is now.

import { call, path, post, withQuery } from "./hub.js";
import { attempt, busy, field, formFor, h, onPress, problemBox, setText } from "./dom.js";
import { exactSize, has, size, t } from "./i18n.js";
import { cell, headCell, moreButton, onlineMark, row, table, timeCell } from "./parts.js";
import { may } from "./roles.js";
import { PAGE } from "./store.js";

/// A part that folds. `content` is filled by `load`, which is called with each opening, where there is something to ask for.
export function part(title, content, load) {
    const problem = problemBox();
    const refresh = () => attempt(load, problem.show);
    const again = h("button", { type: "button", class: "small" }, t("service.refresh"));
    again.addEventListener("click", () => busy(again, refresh));
    const node = h(
        "details",
        { class: "panel service" },
        h("summary", {}, title),
        h("div", { class: "service-body" }, content, problem.node, load && h("div", { class: "form-foot" }, again)),
    );
    if (load) node.addEventListener("toggle", () => node.open && busy(again, refresh));
    return node;
}

/// A form with one text and one button, for those with the role `needs`. `send(text)` may throw what is then said
/// below the text. One that `shows` something is there for all, to be read.
export function textForm(label, hint, action, send, { start = "", rows = 4, needs = "order", shows = false } = {}) {
    const text = field(label, h("textarea", { rows: String(rows), spellcheck: "false" }), { hint, wide: true });
    text.input.value = start;
    text.input.readOnly = !may(needs);
    const submit = h("button", { type: "submit", class: "primary" }, action);
    const work = async () => {
        try {
            await send(text.input.value);
        } catch (error) {
            text.show(error.message);
            text.input.focus();
        }
    };
    const node = formFor(
        submit,
        work,
        { "data-needs": !shows && needs },
        text.node,
        h("div", { class: "form-foot", "data-needs": needs }, submit),
    );
    return { node, input: text.input };
}

/// A JSON object out of what somebody typed.
export function objectIn(text) {
    let value;
    try {
        value = JSON.parse(text);
    } catch {
        value = undefined;
    }
    if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error(t("service.noObject"));
    return value;
}

const json = (value) => JSON.stringify(value, null, 2);
const shownText = ({ text, base64 }) => text ?? `base64: ${base64}`;

function shadowPart(memory, clientId) {
    const version = h("dd");
    const when = timeCell();
    const documents = ["reported", "desired", "delta"].map((name) => [name, h("pre", { class: "document", tabindex: "0", "aria-label": t(`shadow.${name}`) })]);
    const show = (shadow) => {
        setText(version, String(shadow.version));
        when.set(shadow.updated_at, t("service.never"));
        for (const [name, node] of documents) setText(node, json(shadow[name]));
    };
    const form = textForm(t("shadow.change"), t("shadow.changeHint"), t("shadow.submit"), async (text) => {
        show(await call("POST", path("devices", clientId, "shadow"), { desired: objectIn(text) }));
        memory.say(t("shadow.changed"));
    });
    return part(
        t("shadow.title"),
        [
            h("dl", { class: "facts" }, h("div", {}, h("dt", {}, t("shadow.version")), version), h("div", {}, h("dt", {}, t("service.changed")), h("dd", {}, when.node))),
            h("div", { class: "documents" }, documents.map(([name, node]) => h("div", {}, h("h3", {}, t(`shadow.${name}`)), node))),
            form.node,
        ],
        async () => show(await call("GET", path("devices", clientId, "shadow"))),
    );
}

function requestPart(clientId) {
    const list = table(t("rrpc.table"), [[t("rrpc.asked"), "c-when"], [t("rrpc.request"), "c-text"], [t("rrpc.answer"), "c-text"]]);
    const none = h("p", { class: "empty-line" }, t("rrpc.none"));
    const load = async () => {
        const { requests } = await call("GET", path("devices", clientId, "rrpc"));
        list.body.replaceChildren(
            ...requests.map((request) => {
                const when = timeCell("when");
                when.set(request.asked_at);
                const answer = request.answer ? h("code", {}, shownText(request.answer)) : t(`rrpc.${request.state}`);
                return row(headCell("c-when", when.node), cell("c-text", h("code", {}, shownText(request.request))), cell("c-text", answer));
            }),
        );
        list.node.hidden = requests.length === 0;
        none.hidden = requests.length > 0;
    };
    const form = textForm(t("rrpc.text"), t("rrpc.textHint"), t("rrpc.submit"), async (text) => {
        try {
            await call("POST", path("devices", clientId, "rrpc"), { payload: { text } });
        } finally {
            await load();
        }
    });
    return part(t("rrpc.title"), [form.node, list.node, none], load);
}

function gatewayPart(memory, clientId) {
    const list = table(t("gateway.title"), [[t("gateway.device"), "c-name"], [t("devices.online"), "c-state"], ["", "c-actions"]]);
    const none = h("p", { class: "empty-line" }, t("gateway.none"));
    const pages = { next: undefined, more: () => show(pages.next) };
    const more = moreButton(pages, memory.say);
    const load = () => show();
    const show = async (after) => {
        const answer = await call("GET", withQuery(path("gateways", clientId, "devices"), { limit: PAGE, after }));
        if (after === undefined) list.body.replaceChildren();
        list.body.append(
            ...answer.devices.map((device) => {
                const online = onlineMark();
                online.set(device.online);
                const unbind = h("button", { type: "button", class: "small danger", "data-needs": "administer", "aria-label": t("gateway.unbindLabel", { name: device.device_name }) }, t("gateway.unbind"));
                const drop = async () => {
                    await call("DELETE", path("gateways", clientId, "devices", device.client_id));
                    await load();
                };
                onPress(unbind, drop, (text) => text && memory.say(text));
                const name = h("a", { href: `#/devices/${encodeURIComponent(device.client_id)}` }, `${device.product_id} / ${device.device_name}`);
                return row(headCell("c-name", name), cell("c-state", online.node), cell("c-actions", unbind));
            }),
        );
        pages.next = answer.next;
        more.update();
        list.node.hidden = list.body.childElementCount === 0;
        none.hidden = !list.node.hidden;
    };
    const form = textForm(
        t("gateway.bindLabel"),
        t("gateway.bindHint"),
        t("gateway.bind"),
        async (text) => {
            await call("POST", path("gateways", clientId, "devices"), { client_id: text.trim() });
            form.input.value = "";
            await load();
        },
        { rows: 1, needs: "administer" },
    );
    return part(t("gateway.title"), [list.node, more.node, none, form.node], load);
}

/// How a file's way went: what the device said last, and why it failed.
function resourceState({ state, percent, result_code: code, result_msg: why }) {
    const name = has(`resource.${state}`) ? t(`resource.${state}`) : state;
    if (state === "fail") return [name, code, why].filter((part) => part || part === 0).join(", ");
    return state === "waiting" || percent === undefined || percent === null ? name : `${name}, ${percent} %`;
}

function resourcePart(memory, clientId) {
    const list = table(t("resource.title"), [
        [t("resource.added"), "c-when"],
        [t("resource.name"), "c-name"],
        [t("resource.direction"), "c-state"],
        [t("resource.size"), "c-size"],
        [t("resource.state"), "c-text"],
    ]);
    const none = h("p", { class: "empty-line" }, t("resource.none"));
    const load = async () => {
        const { resources } = await call("GET", path("devices", clientId, "resources"));
        list.body.replaceChildren(
            ...resources.map((resource) => {
                const when = timeCell("when");
                when.set(resource.created_at);
                const name = resource.stored ? h("a", { href: path("resources", String(resource.id)), download: resource.name }, resource.name) : resource.name;
                const bytes = h("span", { title: exactSize(resource.size) }, size(resource.size));
                return row(
                    headCell("c-when", when.node),
                    cell("c-name", name),
                    cell("c-state", t(`resource.${resource.direction}`)),
                    cell("c-size", bytes),
                    cell("c-text", resourceState(resource)),
                );
            }),
        );
        list.node.hidden = resources.length === 0;
        none.hidden = resources.length > 0;
    };
    const picker = field(t("resource.file"), h("input", { type: "file" }), { hint: t("resource.fileHint"), wide: true });
    const submit = h("button", { type: "button", class: "primary" }, t("resource.send"));
    const send = async () => {
        const [file] = picker.input.files;
        if (!file) {
            picker.show(t("resource.missing"));
            picker.input.focus();
            return;
        }
        try {
            await post(`${path("devices", clientId, "resources")}?${new URLSearchParams({ name: file.name })}`, file);
        } catch (error) {
            picker.show(error.message);
            return;
        }
        picker.input.value = "";
        memory.say(t("resource.sent", { name: file.name }));
        await load();
    };
    submit.addEventListener("click", () => busy(submit, send));
    return part(t("resource.title"), [list.node, none, h("div", { "data-needs": "order" }, picker.node, h("div", { class: "form-foot" }, submit))], load);
}

const LEVELS = ["off", "error", "warn", "info", "debug"];
/// Of the newest lines, so many.
const LINES = 500;

function logPart(memory, clientId) {
    const level = field(t("log.level"), h("select", { disabled: !may("order") }, LEVELS.map((name, number) => h("option", { value: String(number) }, t(`log.${name}`)))), { hint: t("log.levelHint") });
    const lines = h("pre", { class: "document log", tabindex: "0", "aria-label": t("log.title") });
    const none = h("p", { class: "empty-line" }, t("log.none"));
    const load = async () => {
        const log = await call("GET", `${path("devices", clientId, "log")}?limit=${LINES}`);
        level.input.value = String(log.level);
        setText(lines, log.lines.map((line) => line.text).join("\n"));
        lines.hidden = log.lines.length === 0;
        none.hidden = log.lines.length > 0;
    };
    level.input.addEventListener("change", async () => {
        try {
            const { sent } = await call("POST", path("devices", clientId, "log-level"), { level: Number(level.input.value) });
            memory.say(t(sent ? "log.levelSent" : "log.levelKept"));
        } catch (error) {
            level.show(error.message);
        }
    });
    const clear = h("button", { type: "button", class: "small danger" }, t("log.clear"));
    const forget = async () => {
        await call("DELETE", path("devices", clientId, "log"));
        await load();
    };
    onPress(clear, forget, (text) => text && memory.say(text));
    return part(t("log.title"), [level.node, lines, none, h("div", { class: "form-foot", "data-needs": "order" }, clear)], load);
}

/// The parts of one device; `others` stand last.
export function deviceServices(memory, clientId, ...others) {
    const parts = [shadowPart(memory, clientId), requestPart(clientId), gatewayPart(memory, clientId), resourcePart(memory, clientId), logPart(memory, clientId)];
    return h("section", { class: "services" }, h("h2", {}, t("service.title")), parts, others);
}
