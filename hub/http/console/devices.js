// The devices, one device, and what is told of a device only once.

import { call, path, plain } from "./hub.js";
import { dialog, download, field, formFor, freshId, h, problemBox, question, Rows, setClass, setText } from "./dom.js";
import { figuresOf } from "./health.js";
import { t } from "./i18n.js";
import { addresses, bar, cell, copyable, headCell, jobRow, jobTable, later, moreButton, NAME, onlineMark, row, stateTag, table, tagList, timeCell } from "./parts.js";
import { deviceServices } from "./services.js";
import { changed, closeDevice, openDevice, openDevices, products, store, take } from "./store.js";
import { changeTags, editTags } from "./tags.js";
import { tunnelPart } from "./tunnel.js";

function deviceRow(selected, select) {
    const pick = h("input", { type: "checkbox" });
    const link = h("a");
    const product = h("span", { class: "product" });
    const tags = tagList();
    const online = onlineMark();
    const seen = timeCell("when seen");
    const version = h("span");
    const reported = timeCell("when");
    const state = stateTag();
    const target = h("a", { class: "quiet" });
    const progress = bar((job) => t("upgrade.progressOf", { name: job.client_id }));
    const latest = cell("c-latest", state.node, target, progress.node);
    const node = row(
        cell("c-pick", pick),
        headCell("c-name", link, product, tags.node),
        cell("c-online", online.node, seen.node),
        cell("c-version", version),
        cell("c-when", reported.node),
        latest,
    );
    let clientId;
    pick.addEventListener("change", () => select(clientId, pick.checked));
    return {
        node,
        update(device) {
            clientId = device.client_id;
            pick.checked = selected.has(clientId);
            pick.setAttribute("aria-label", t("devices.select", { name: device.device_name }));
            setText(link, device.device_name);
            link.href = `#/devices/${encodeURIComponent(device.client_id)}`;
            setText(product, device.product_id);
            tags.set(device.tags);
            online.set(device.online);
            // Who is here is seen now.
            seen.node.hidden = device.online === true || device.seen_at === null;
            seen.set(device.seen_at);
            setText(version, device.version ?? t("devices.noVersion"));
            setClass(version, device.version === null ? "quiet" : "");
            reported.set(device.reported_at, t("devices.never"));
            const { job } = device;
            state.node.hidden = !job;
            target.hidden = !job;
            const runs = Boolean(job) && ["downloading", "burning"].includes(job.state);
            progress.node.hidden = !runs;
            setClass(latest, job ? "c-latest" : "c-latest is-empty");
            if (!job) return;
            state.set(job.state);
            setText(target, job.version);
            target.href = `#/upgrades/${job.upgrade_id}`;
            if (runs) progress.set(job);
        },
    };
}

/// What is filtered stays so while the page is open. Of a version, what stands before it tells it from the others.
const filters = { search: "", product: "", tag: "", version: "", seen: "" };
/// Minutes: what is offered of when devices were seen. It is written once a minute.
const SEEN = { last10: 10, lastHour: 60, lastDay: 1440, lastWeek: 10_080 };
const NOTHING = { ...filters };

/// Of more products than these, tags and versions are offered of a chosen one only.
const FEW = 8;

function select(label, name, choose) {
    const node = h("select", { "aria-label": label });
    node.addEventListener("change", () => {
        filters[name] = node.value;
        choose();
    });
    let shown = "";
    return {
        node,
        set(options) {
            // What is chosen stays, also where there is nothing of it any more.
            const chosen = filters[name];
            const all = options.some(([value]) => value === chosen) ? options : [...options, [chosen, chosen.replace(/^=/, "")]];
            const now = JSON.stringify(all);
            if (now !== shown) {
                shown = now;
                node.replaceChildren(...all.map(([value, text]) => h("option", { value }, text)));
            }
            node.value = chosen;
        },
    };
}

export function devicesView(memory) {
    const selected = new Set();
    const search = h("input", { type: "search", "aria-label": t("devices.search"), placeholder: t("devices.search"), autocomplete: "off" });
    search.value = filters.search;
    const typed = later(filtered);
    search.addEventListener("input", () => {
        filters.search = search.value;
        typed();
    });
    const product = select(t("device.product"), "product", () => {
        offer();
        filtered();
    });
    const tag = select(t("tags.of"), "tag", filtered);
    const version = select(t("devices.version"), "version", filtered);
    const seen = select(t("devices.seen"), "seen", filtered);
    seen.set([["", t("devices.seenEver")], ...Object.entries(SEEN).map(([name, minutes]) => [String(minutes), t(`devices.${name}`)])]);
    for (const { node: list } of [tag, version]) list.addEventListener("focus", offer);
    // Read out when somebody filters, not whenever a device comes or goes.
    const count = h("span", { class: "quiet tally" });
    const pickAll = h("input", { type: "checkbox", "aria-label": t("devices.selectAll") });
    pickAll.addEventListener("change", () => {
        for (const device of store.devices.entries()) choose(device.client_id, pickAll.checked);
        rows.forget();
        update();
    });
    const list = table(t("devices.table"), [
        [pickAll, "c-pick"],
        [t("devices.name"), "c-name"],
        [t("devices.online"), "c-online"],
        [t("devices.version"), "c-version"],
        [t("devices.reported"), "c-when"],
        [t("devices.latest"), "c-latest"],
    ]);
    list.node.classList.add("devices");
    const choose = (clientId, on) => (on ? selected.add(clientId) : selected.delete(clientId));
    const rows = new Rows(list.body, () =>
        deviceRow(selected, (clientId, on) => {
            choose(clientId, on);
            update();
        }),
    );
    const label = h("button", { type: "button", "data-needs": "order", on: { click: tagSelected } });
    const more = moreButton(store.devices, memory.say);
    const clear = h("button", { type: "button" }, t("action.clear"));
    clear.addEventListener("click", () => {
        Object.assign(filters, NOTHING);
        search.value = "";
        filtered();
        search.focus();
    });
    const noMatch = h("p", { class: "empty-line" }, t("devices.noMatch"), " ", clear);
    const where = h("details", { class: "how" }, h("summary", {}, t("devices.how")));
    const content = h("div", {}, h("div", { class: "toolbar" }, search, product.node, tag.node, version.node, seen.node, label, count), list.node, more.node, noMatch, where);
    const empty = h("section", { class: "empty" });
    const add = h("button", { type: "button", class: "primary", "data-needs": "administer", on: { click: () => addDevice(memory) } }, t("devices.add"));
    const node = h("div", {}, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, t("devices.title")), add), empty, content);
    let told = null;
    let online;
    let [tags, versions] = [[], []];

    const isFiltered = () => Object.values(filters).some((value) => value !== "");

    function ask() {
        return openDevices({
            product: filters.product || undefined,
            tag: filters.tag || undefined,
            version: filters.version ? filters.version.slice(1) : undefined,
            seen: filters.seen ? Number(filters.seen) : undefined,
            search: filters.search.trim(),
        });
    }

    async function filtered() {
        selected.clear();
        await ask();
        update();
        memory.announce(count.textContent);
    }

    /// What can be filtered by, and how many are there.
    async function offer() {
        const all = filters.product ? [filters.product] : products();
        const first = (one, what) => call("GET", path("products", one, what)).then((answer) => answer[what]);
        const of = async (what, name) => {
            const found = all.length > FEW ? [] : await Promise.all(all.map((one) => first(one, what)));
            return [...new Set(found.flat().map((one) => one[name]))].sort();
        };
        try {
            const [figures, words, running] = await Promise.all([plain("metrics"), of("tags", "tag"), of("versions", "version")]);
            online = figures.ok ? figuresOf(figures.text).get("hub_devices_online") : undefined;
            [tags, versions] = [words, running];
        } catch {
            // The list itself says what is wrong.
        }
        changed();
    }

    async function tagSelected() {
        const done = await changeTags([...selected]);
        if (!done) return;
        memory.say(t("tags.changed", { n: done.devices }));
        selected.clear();
        rows.forget();
        await Promise.all([ask(), offer()]);
    }

    function update() {
        const shown = store.devices.entries();
        if (told !== store.hub && store.hub) {
            told = store.hub;
            where.replaceChildren(where.firstChild, addresses());
            empty.replaceChildren(h("h2", {}, t("devices.empty")), h("p", {}, t("devices.emptyText")), addresses());
            offer();
        }
        const isEmpty = shown.length === 0 && !isFiltered();
        content.hidden = isEmpty;
        empty.hidden = !isEmpty || !store.devices.loaded;
        product.set([["", t("devices.anyProduct")], ...products().map((one) => [one, one])]);
        tag.set([["", t("devices.anyTag")], ...tags.map((one) => [one, one])]);
        seen.node.value = filters.seen;
        version.set([["", t("devices.anyVersion")], ...versions.map((one) => [`=${one}`, one]), ["=", t("devices.noVersion")]]);
        rows.set(shown, (device) => device.client_id);
        list.node.hidden = shown.length === 0;
        noMatch.hidden = shown.length > 0 || !store.devices.loaded;
        more.update();
        label.hidden = selected.size === 0;
        setText(label, t("tags.change", { n: selected.size }));
        pickAll.checked = shown.length > 0 && shown.every((device) => selected.has(device.client_id));
        const parts = [t(store.devices.next === undefined ? "devices.count" : "devices.countFirst", { n: shown.length })];
        if (online !== undefined && !isFiltered()) parts.push(t("devices.countOnline", { n: online }));
        setText(count, parts.join(" · "));
    }
    ask();
    return { title: t("devices.title"), node, update, close: () => store.devices.close() };
}

/// A field for a product id that offers those the hub knows.
export function productField(label, hint) {
    const options = h("datalist", { id: freshId("products") }, products().map((product) => h("option", { value: product })));
    const input = h("input", { type: "text", list: options.id, autocomplete: "off", spellcheck: "false", autocapitalize: "off", maxlength: "64" });
    if (products().length === 1) input.value = products()[0];
    const made = field(label, input, { hint });
    made.node.append(options);
    return made;
}

export function radio(name, value, title, text, checked) {
    const input = h("input", { type: "radio", name, value, checked });
    return { input, node: h("label", { class: "choice" }, input, h("span", {}, h("strong", {}, title), text && h("span", { class: "quiet" }, text))) };
}

const MAX_PRODUCT = 10;
const MAX_NAME = 48;

async function addDevice(memory) {
    const made = await dialog(t("add.title"), (close) => {
        const product = productField(t("add.product"), t("add.productHint"));
        const name = field(t("add.name"), h("input", { type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off" }), { hint: t("add.nameHint") });
        const own = field(t("add.own"), h("input", { type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off" }), { hint: t("add.ownHint") });
        const bySecret = radio("proof", "secret", t("add.secret"), t("add.secretText"), true);
        const byCertificate = radio("proof", "certificate", t("add.certificate"), t("add.certificateText"), false);
        for (const { input } of [bySecret, byCertificate]) {
            input.addEventListener("change", () => {
                own.node.hidden = byCertificate.input.checked;
            });
        }
        (product.input.value ? name : product).input.setAttribute("autofocus", "");
        const problem = problemBox();
        const submit = h("button", { type: "submit", class: "primary" }, t("add.submit"));
        const send = async () => {
            problem.show(null);
            const asked = {
                product_id: product.input.value.trim(),
                device_name: name.input.value.trim(),
                proof: bySecret.input.checked ? "secret" : "certificate",
                secret: (bySecret.input.checked && own.input.value.trim()) || null,
            };
            const checkName = (text, max, missing) => {
                if (!text) return missing;
                return NAME.test(text) && text.length <= max ? null : t("add.badName", { max });
            };
            const known = store.devices.get(asked.product_id + asked.device_name)?.product_id === asked.product_id;
            product.show(checkName(asked.product_id, MAX_PRODUCT, t("add.missingProduct")));
            name.show(
                checkName(asked.device_name, MAX_NAME, t("add.missingName")) ||
                    (known ? t("add.exists", { product: asked.product_id, name: asked.device_name }) : null),
            );
            own.show(asked.secret && !/^[A-Za-z0-9+/]+={0,2}$/.test(asked.secret) ? t("add.badSecret") : null);
            const wrong = [product, name, own].find(({ input }) => input.getAttribute("aria-invalid"));
            if (wrong) {
                wrong.input.focus();
                return;
            }
            try {
                const answer = await call("POST", "api/devices", asked);
                take({ type: "device", device: answer.device });
                close(answer);
            } catch (error) {
                problem.show(error.message);
            }
        };
        return formFor(
            submit,
            send,
            {},
            product.node,
            name.node,
            h("fieldset", { class: "choices" }, h("legend", {}, t("add.proof")), bySecret.node, byCertificate.node),
            own.node,
            problem.node,
            h("div", { class: "dialog-foot" }, h("button", { type: "button", on: { click: () => close() } }, t("action.cancel")), submit),
        );
    });
    if (made) {
        memory.refresh();
        await showOnce(made, t("once.title", { name: made.device.device_name }));
    }
}

function deviceInfo(made) {
    const { device, secret, certificate } = made;
    const info = { auth_mode: certificate ? "CERT" : "KEY", productId: device.product_id, deviceName: device.device_name };
    if (certificate) {
        info.cert_deviceinfo = { devCertFile: `${device.client_id}_cert.crt`, devPrivateKeyFile: `${device.client_id}_private.key` };
    } else {
        info.key_deviceinfo = { deviceSecret: secret };
    }
    return `${JSON.stringify(info, null, 4)}\n`;
}

function showOnce(made, title) {
    const { device, secret, certificate } = made;
    return dialog(
        title,
        (close) => {
            let saved = false;
            const problem = problemBox();
            const keep = () => {
                saved = true;
                problem.show(null);
            };
            const file = (name, text, className) => {
                const save = () => {
                    download(name, text);
                    keep();
                };
                return h("button", { type: "button", class: className, on: { click: save } }, t("action.download", { name }));
            };
            const endpoint = store.hub?.addresses?.[certificate ? "mqtt_cert" : "mqtt_psk"] ;
            const leave = () => (saved ? close() : problem.show(t("once.notSaved")));
            const content = h(
                "div",
                {},
                h("p", { class: "warning" }, t("once.warning")),
                secret && h("div", { class: "field" }, h("span", { class: "label" }, t("once.secret")), copyable(secret, "secret", keep)),
                h(
                    "div",
                    { class: "downloads" },
                    file("device_info.json", deviceInfo(made), "primary"),
                    certificate && file(`${device.client_id}_cert.crt`, certificate.certificate),
                    certificate && file(`${device.client_id}_private.key`, certificate.private_key),
                    store.hub?.ca_pem && h("button", { type: "button", on: { click: () => download("ca.pem", store.hub.ca_pem) } }, t("action.download", { name: "ca.pem" })),
                ),
                endpoint && h("p", { class: "label" }, t(certificate ? "once.nextCertificate" : "once.next")),
                endpoint && copyable(`QCLOUD_IOT_MQTT_ENDPOINT=${endpoint} QCLOUD_IOT_CA_FILE=ca.pem ./ota_mqtt_sample`, "command"),
                problem.node,
                h("div", { class: "dialog-foot" }, h("button", { type: "button", on: { click: leave } }, t("once.done"))),
            );
            content.addEventListener("keydown", (event) => {
                if (event.key === "Escape") leave();
            });
            return content;
        },
        { steady: true },
    );
}

function historyRow() {
    const from = h("span");
    return jobRow([from], (job) => job.version, (job, version) => {
        setText(version, job.version);
        version.href = `#/upgrades/${job.upgrade_id}`;
        setText(from, t("scope.from", { versions: job.from_version ?? "?" }));
    });
}

export function deviceView(memory, clientId) {
    let asking = true;
    openDevice(clientId).finally(() => {
        asking = false;
        changed();
    });
    const heading = h("h1", { tabindex: "-1" });
    const online = onlineMark();
    const renew = h("button", { type: "button", on: { click: renewDevice } });
    const remove = h("button", { type: "button", class: "danger", on: { click: removeDevice } }, t("device.removeAction"));
    const version = h("dd");
    const seen = timeCell();
    const reported = timeCell();
    const product = h("dd");
    const proof = h("dd");
    const tags = tagList();
    const edit = h("button", { type: "button", class: "small", "data-needs": "order", on: { click: changeThem } }, t("tags.edit"));
    const list = jobTable(t("device.history"), t("device.to"));
    const rows = new Rows(list.body, historyRow);
    const more = moreButton(store.history, memory.say);
    const none = h("p", { class: "empty-line" }, t("device.noHistory"));
    const content = h(
        "div",
        {},
        h(
            "div",
            { class: "panel" },
            h(
                "dl",
                { class: "facts" },
                h("div", {}, h("dt", {}, t("devices.online")), h("dd", {}, online.node)),
                h("div", {}, h("dt", {}, t("device.version")), version),
                h("div", {}, h("dt", {}, t("devices.seen")), h("dd", {}, seen.node)),
                h("div", {}, h("dt", {}, t("devices.reported")), h("dd", {}, reported.node)),
                h("div", {}, h("dt", {}, t("device.product")), product),
                h("div", {}, h("dt", {}, t("device.proof")), proof),
                h("div", {}, h("dt", {}, t("device.clientId")), h("dd", {}, h("code", {}, clientId))),
                h("div", {}, h("dt", {}, t("tags.of")), h("dd", {}, tags.node, edit)),
            ),
        ),
        h("h2", {}, t("device.history")),
        list.node,
        more.node,
        none,
        deviceServices(memory, clientId, tunnelPart(clientId)),
    );
    const gone = h("p", { class: "empty-line" }, t("device.gone"));
    const node = h(
        "div",
        {},
        h("a", { class: "back", href: "#/devices" }, t("device.back")),
        h("div", { class: "page-head" }, heading, h("div", { class: "actions", "data-needs": "administer" }, renew, remove)),
        content,
        gone,
    );
    let leaving = false;

    const ask = (title, text, yes, work) => question(title, h("p", {}, text), { yes, no: t("action.cancel"), work });

    async function renewDevice() {
        const { device_name: name } = store.device;
        const done = await ask(t("device.renewTitle", { name }), t("device.renewText"), t("device.renewConfirm"), () =>
            call("POST", path("devices", clientId, "renew")),
        );
        if (done) await showOnce(done.answer, t(done.answer.certificate ? "once.renewedCertificate" : "once.renewed", { name }));
    }

    async function removeDevice() {
        const { device_name: name } = store.device;
        const done = await ask(t("device.removeTitle", { name }), t("device.removeText"), t("action.remove"), async () => {
            await call("DELETE", path("devices", clientId));
            leaving = true;
        });
        if (done) {
            location.hash = "#/devices";
            memory.say(t("device.removed", { name }));
        }
    }

    async function changeThem() {
        const device = await editTags(store.device);
        if (!device) return;
        store.device = device;
        update();
    }

    function update() {
        const { device } = store;
        setText(heading, device?.device_name ?? clientId);
        content.hidden = !device;
        renew.hidden = !device;
        remove.hidden = !device;
        gone.hidden = Boolean(device) || asking || leaving;
        if (!device) return;
        online.set(device.online);
        setText(version, device.version ?? t("devices.noVersion"));
        seen.set(device.seen_at, t("devices.notSeen"));
        reported.set(device.reported_at, t("devices.never"));
        setText(product, device.product_id);
        setText(proof, t(`device.${device.proof}`));
        setText(renew, t(device.proof === "certificate" ? "device.renewCertificate" : "device.renewSecret"));
        tags.set(device.tags);
        const jobs = store.history.entries();
        rows.set(jobs, (job) => job.id);
        more.update();
        list.node.hidden = jobs.length === 0;
        none.hidden = jobs.length > 0 || !store.history.loaded;
    }
    return { title: t("devices.title"), node, update, close: closeDevice };
}
