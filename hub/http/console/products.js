// The products: whether their devices may register, their configuration, and messages to all of their devices.

import { call, path, withQuery } from "./hub.js";
import { h, onPress, problemBox, Rows, setText } from "./dom.js";
import { t } from "./i18n.js";
import { cell, headCell, moreButton, nameOf, row, table, timeCell } from "./parts.js";
import { objectIn, part, textForm } from "./services.js";
import { PAGE, products } from "./store.js";

function registrationPart(memory, product) {
    const state = h("p");
    const change = h("button", { type: "button", class: "primary" });
    const secret = h("code");
    const secretLine = h("p", { hidden: true }, `${t("registration.secret")} `, secret);
    const problem = problemBox();
    let enabled = false;
    const show = () => {
        setText(state, t(enabled ? "registration.on" : "registration.off"));
        setText(change, t(enabled ? "registration.switchOff" : "registration.switchOn"));
    };
    const turn = async () => {
        const answer = await call("POST", path("products", product, "registration"), { enabled: !enabled });
        enabled = answer.product.registration;
        setText(secret, answer.secret);
        secretLine.hidden = !enabled;
        show();
        memory.say(t(enabled ? "registration.on" : "registration.off"));
    };
    onPress(change, turn, problem.show);
    return part(
        t("registration.title"),
        [h("p", { class: "hint" }, t("registration.hint")), state, secretLine, problem.node, h("div", { class: "form-foot", "data-needs": "administer" }, change)],
        async () => {
            const answer = await call("GET", path("products"));
            enabled = answer.products.find((one) => one.product_id === product)?.registration ?? false;
            show();
        },
    );
}

function configPart(memory, product) {
    const version = h("dd");
    const when = timeCell();
    const enabled = h("dd");
    const change = h("button", { type: "button" });
    const push = h("button", { type: "button" }, t("config.push"));
    const list = table(t("config.devices"), [[t("config.device"), "c-name"], [t("config.version"), "c-versions"], [t("config.told"), "c-when"]]);
    const facts = h("dl", { class: "facts" }, h("div", {}, h("dt", {}, t("config.version")), version), h("div", {}, h("dt", {}, t("config.state")), enabled), h("div", {}, h("dt", {}, t("service.changed")), h("dd", {}, when.node)));
    const actions = h("div", { class: "form-foot", "data-needs": "order" }, push, change);
    let config = null;
    let edited = false;
    const pages = { next: undefined, more: () => ask(pages.next) };
    const more = moreButton(pages, memory.say);
    const show = () => {
        facts.hidden = config === null;
        actions.hidden = config === null;
        list.node.hidden = list.body.childElementCount === 0;
        more.update();
        if (config === null) return;
        setText(version, String(config.version));
        setText(enabled, t(config.enabled ? "config.on" : "config.off"));
        setText(change, t(config.enabled ? "config.switchOff" : "config.switchOn"));
        when.set(config.changed_at);
        if (!edited && config.payload !== null) form.input.value = JSON.stringify(JSON.parse(config.payload), null, 2);
    };
    const ask = async (after) => {
        const answer = await call("GET", withQuery(path("configs", product), { limit: PAGE, after }));
        ({ config } = answer);
        pages.next = answer.next;
        if (after === undefined) list.body.replaceChildren();
        list.body.append(
            ...answer.devices.map((device) => {
                const told = timeCell("when");
                told.set(device.at);
                return row(headCell("c-name", nameOf(device.client_id, product)), cell("c-versions", device.version === null ? "–" : String(device.version)), cell("c-when", told.node));
            }),
        );
        show();
    };
    const load = async () => {
        try {
            await ask();
        } catch (error) {
            // There is none yet.
            if (error.status !== 404) throw error;
            config = null;
            pages.next = undefined;
            list.body.replaceChildren();
            show();
        }
    };
    const told = async (answer) => {
        memory.say(t("config.sent", { n: answer.sent }));
        await load();
    };
    const publish = async (text) => {
        objectIn(text);
        const answer = await call("POST", path("configs", product), { payload: text });
        edited = false;
        await told(answer);
    };
    const form = textForm(t("config.text"), t("config.textHint"), t("config.publish"), publish, { shows: true });
    form.input.addEventListener("input", () => {
        edited = true;
    });
    const problem = problemBox();
    onPress(push, async () => told(await call("POST", path("configs", product, "push"))), problem.show);
    const turn = async () => {
        await call("POST", path("configs", product, "switch"), { enabled: !config.enabled });
        await load();
    };
    onPress(change, turn, problem.show);
    return part(t("config.title"), [facts, form.node, actions, problem.node, list.node, more.node], load);
}

function broadcastPart(product) {
    const result = h("p", { role: "status" });
    const form = textForm(t("broadcast.text"), t("broadcast.hint"), t("broadcast.submit"), async (text) => {
        const { devices, sent } = await call("POST", path("broadcasts"), { product_id: product, payload: { text } });
        setText(result, t("broadcast.sent", { n: sent, devices }));
    });
    const node = part(t("broadcast.title"), [form.node, result]);
    node.dataset.needs = "order";
    return node;
}

export function productsView(memory) {
    const list = h("div", { class: "products" });
    const none = h("p", { class: "empty-line" }, t("products.none"));
    const rows = new Rows(list, (product) => ({
        node: h("section", { class: "services" }, h("h2", {}, product), registrationPart(memory, product), configPart(memory, product), broadcastPart(product)),
        update() {},
    }));
    const node = h("div", {}, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, t("products.title"))), list, none);
    return {
        title: t("products.title"),
        node,
        update() {
            const all = products();
            rows.set(all, (product) => product);
            none.hidden = all.length > 0;
        },
    };
}
