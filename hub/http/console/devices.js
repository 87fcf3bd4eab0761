// The devices, one device, and what is told of a device only once.

import { call, path } from "./hub.js";
import { busy, dialog, download, field, freshId, h, problemBox, question, Rows, setClass, setText } from "./dom.js";
import { t } from "./i18n.js";
import { addresses, bar, cell, copyable, headCell, jobRow, jobTable, NAME, onlineMark, onlineName, row, stateTag, table, timeCell } from "./parts.js";
import { deviceServices } from "./services.js";
import { byText, openHistory, products, store } from "./store.js";
import { tunnelPart } from "./tunnel.js";

function deviceRow() {
    const link = h("a");
    const product = h("span", { class: "product" });
    const online = onlineMark();
    const version = h("span");
    const reported = timeCell("when");
    const state = stateTag();
    const target = h("a", { class: "quiet" });
    const progress = bar((job) => t("upgrade.progressOf", { name: job.client_id }));
    const latest = cell("c-latest", state.node, target, progress.node);
    const node = row(
        headCell("c-name", link, product),
        cell("c-online", online.node),
        cell("c-version", version),
        cell("c-when", reported.node),
        latest,
    );
    return {
        node,
        update(device) {
            setText(link, device.device_name);
            link.href = `#/devices/${encodeURIComponent(device.client_id)}`;
            setText(product, device.product_id);
            online.set(device.online);
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

/// What is filtered stays so while the page is open.
const filters = { search: "", version: "", online: "" };

function select(label, name, changed) {
    const node = h("select", { "aria-label": label });
    node.addEventListener("change", () => {
        filters[name] = node.value;
        changed();
    });
    let shown = "";
    return {
        node,
        set(options) {
            const now = JSON.stringify(options);
            if (now !== shown) {
                shown = now;
                node.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
            }
            node.value = filters[name];
            if (node.selectedIndex < 0) {
                filters[name] = "";
                node.value = "";
            }
        },
    };
}

export function devicesView(memory) {
    const search = h("input", { type: "search", "aria-label": t("devices.search"), placeholder: t("devices.search"), autocomplete: "off" });
    search.value = filters.search;
    search.addEventListener("input", () => {
        filters.search = search.value;
        filtered();
    });
    const version = select(t("devices.version"), "version", filtered);
    const online = select(t("devices.online"), "online", filtered);
    // Read out when somebody filters, not whenever a device comes or goes.
    const count = h("span", { class: "quiet tally" });
    const list = table(t("devices.table"), [
        [t("devices.name"), "c-name"],
        [t("devices.online"), "c-online"],
        [t("devices.version"), "c-version"],
        [t("devices.reported"), "c-when"],
        [t("devices.latest"), "c-latest"],
    ]);
    list.node.classList.add("devices");
    const rows = new Rows(list.body, deviceRow);
    const clear = h("button", { type: "button" }, t("action.clear"));
    clear.addEventListener("click", () => {
        Object.assign(filters, { search: "", version: "", online: "" });
        search.value = "";
        filtered();
        search.focus();
    });
    const noMatch = h("p", { class: "empty-line" }, t("devices.noMatch"), " ", clear);
    const where = h("details", { class: "how" }, h("summary", {}, t("devices.how")));
    const content = h("div", {}, h("div", { class: "toolbar" }, search, version.node, online.node, count), list.node, noMatch, where);
    const empty = h("section", { class: "empty" });
    const add = h("button", { type: "button", class: "primary", "data-needs": "administer", on: { click: () => addDevice(memory) } }, t("devices.add"));
    const node = h("div", {}, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, t("devices.title")), add), empty, content);
    let told = null;

    function filtered() {
        update();
        memory.announce(count.textContent);
    }

    function update() {
        const all = store.devices.list();
        if (told !== store.hub && store.hub) {
            told = store.hub;
            where.replaceChildren(where.firstChild, addresses());
            empty.replaceChildren(h("h2", {}, t("devices.empty")), h("p", {}, t("devices.emptyText")), addresses());
        }
        content.hidden = all.length === 0;
        empty.hidden = all.length > 0;
        const versions = [...new Set(all.map((device) => device.version))];
        const named = versions.filter((one) => one !== null).sort(byText);
        version.set([
            ["", t("devices.anyVersion")],
            ...named.map((one) => [`=${one}`, one]),
            ...(versions.includes(null) ? [["none", t("devices.noVersion")]] : []),
        ]);
        online.set([
            ["", t("devices.anyOnline")],
            ["yes", t("devices.onlineOnly")],
            ["no", t("devices.offlineOnly")],
        ]);
        const wanted = filters.search.trim().toLowerCase();
        const shown = all.filter(
            (device) =>
                (!wanted || device.device_name.toLowerCase().includes(wanted) || device.product_id.toLowerCase().includes(wanted)) &&
                (!filters.version || filters.version === (device.version === null ? "none" : `=${device.version}`)) &&
                (!filters.online || filters.online === onlineName(device.online)),
        );
        rows.set(shown, (device) => device.client_id);
        list.node.hidden = shown.length === 0;
        noMatch.hidden = shown.length > 0;
        const there = all.filter((device) => device.online).length;
        online.node.hidden = all.every((device) => device.online === null);
        const parts = [t("devices.count", { n: all.length })];
        if (all.some((device) => device.online !== null)) parts.push(t("devices.countOnline", { n: there }));
        if (shown.length < all.length) parts.push(t("devices.countShown", { shown: shown.length, n: all.length }));
        setText(count, parts.join(" · "));
    }
    return { title: t("devices.title"), node, update };
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
            const known = store.devices.list().some((device) => device.product_id === asked.product_id && device.device_name === asked.device_name);
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
                store.devices.put(answer.device);
                close(answer);
            } catch (error) {
                problem.show(error.message);
            }
        };
        return h(
            "form",
            {
                novalidate: true,
                on: {
                    submit: (event) => {
                        event.preventDefault();
                        busy(submit, send);
                    },
                },
            },
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
    openHistory(clientId);
    const heading = h("h1", { tabindex: "-1" });
    const online = onlineMark();
    const renew = h("button", { type: "button", on: { click: renewDevice } });
    const remove = h("button", { type: "button", class: "danger", on: { click: removeDevice } }, t("device.removeAction"));
    const version = h("dd");
    const reported = timeCell();
    const product = h("dd");
    const proof = h("dd");
    const list = jobTable(t("device.history"), t("device.to"));
    const rows = new Rows(list.body, historyRow);
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
                h("div", {}, h("dt", {}, t("devices.reported")), h("dd", {}, reported.node)),
                h("div", {}, h("dt", {}, t("device.product")), product),
                h("div", {}, h("dt", {}, t("device.proof")), proof),
                h("div", {}, h("dt", {}, t("device.clientId")), h("dd", {}, h("code", {}, clientId))),
            ),
        ),
        h("h2", {}, t("device.history")),
        list.node,
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
        const { device_name: name } = store.devices.get(clientId);
        const done = await ask(t("device.renewTitle", { name }), t("device.renewText"), t("device.renewConfirm"), () =>
            call("POST", path("devices", clientId, "renew")),
        );
        if (done) await showOnce(done.answer, t(done.answer.certificate ? "once.renewedCertificate" : "once.renewed", { name }));
    }

    async function removeDevice() {
        const { device_name: name } = store.devices.get(clientId);
        const done = await ask(t("device.removeTitle", { name }), t("device.removeText"), t("action.remove"), async () => {
            await call("DELETE", path("devices", clientId));
            leaving = true;
            store.devices.remove(clientId);
        });
        if (done) {
            location.hash = "#/devices";
            memory.say(t("device.removed", { name }));
        }
    }

    function update() {
        const device = store.devices.get(clientId);
        setText(heading, device?.device_name ?? clientId);
        content.hidden = !device;
        renew.hidden = !device;
        remove.hidden = !device;
        gone.hidden = Boolean(device) || !store.loaded || leaving;
        if (!device) return;
        online.set(device.online);
        setText(version, device.version ?? t("devices.noVersion"));
        reported.set(device.reported_at, t("devices.never"));
        setText(product, device.product_id);
        setText(proof, t(`device.${device.proof}`));
        setText(renew, t(device.proof === "certificate" ? "device.renewCertificate" : "device.renewSecret"));
        const jobs = store.history.list();
        rows.set(jobs, (job) => job.id);
        list.node.hidden = jobs.length === 0;
        none.hidden = jobs.length > 0;
    }
    return { title: t("devices.title"), node, update, close: () => openHistory(null) };
}
