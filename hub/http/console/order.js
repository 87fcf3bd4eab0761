// Ordering an upgrade: which firmware, which devices, how many that are, and the last question.

import { call } from "./hub.js";
import { radio } from "./devices.js";
import { busy, field, freshId, h, problemBox, question, Rows, setClass, setText } from "./dom.js";
import { list as listed, number, size, t } from "./i18n.js";
import { changed, byText, FINISHED, store } from "./store.js";

const MAX_LIST = 4_000_000;
const NAMES_SHOWN = 5;

/// The names of a list, as the hub reads it: one a line, the first of comma-separated columns, `#` begins a remark.
export function namesIn(text) {
    const names = [];
    for (const line of text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/)) {
        const name = line.split(",")[0].trim().replace(/^"+|"+$/g, "").trim();
        if (name && !name.startsWith("#")) names.push(name);
    }
    return names;
}

function pickRow(chosen, toggle) {
    const input = h("input", { type: "checkbox" });
    const name = h("span", { class: "pick-name" });
    const version = h("span", { class: "quiet" });
    const online = h("span", { class: "online" });
    const node = h("li", {}, h("label", { class: "pick" }, input, name, version, online));
    let device;
    input.addEventListener("change", () => toggle(device.client_id, input.checked));
    return {
        node,
        update(item) {
            device = item;
            input.checked = chosen.has(item.client_id);
            setText(name, item.device_name);
            setText(version, item.version ?? t("order.neverReported"));
            const known = item.online === null ? "unknown" : item.online ? "yes" : "no";
            setClass(online, `online ${known}`);
            setText(online, t(`online.${known}`));
        },
    };
}

function initial(query) {
    const devices = (query.get("devices") ?? "").split(",").filter(Boolean);
    return {
        firmware: Number(query.get("firmware")) || null,
        scope: devices.length ? "chosen" : "all",
        anyVersion: true,
        versions: new Set(),
        chosen: new Set(devices),
        search: "",
        list: "",
    };
}

export function orderView(memory, query) {
    memory.order ??= initial(query);
    const state = memory.order;

    const firmware = h("select", { id: freshId("field") });
    firmware.addEventListener("change", () => {
        state.firmware = Number(firmware.value);
        state.versions.clear();
        state.chosen.clear();
        rows.forget();
        touched();
    });
    const scopes = ["all", "chosen", "listed"].map((scope) => {
        const one = radio("scope", scope, t(`order.${scope}`), t(`order.${scope}Text`), state.scope === scope);
        one.input.addEventListener("change", () => {
            state.scope = scope;
            touched();
        });
        return one;
    });

    // Which versions they run.
    const any = radio("versions", "any", "", null, state.anyVersion);
    const these = radio("versions", "these", t("order.theseVersions"), null, !state.anyVersion);
    for (const { input } of [any, these]) {
        input.addEventListener("change", () => {
            state.anyVersion = any.input.checked;
            touched();
        });
    }
    const anyText = any.node.querySelector("strong");
    const versionList = h("ul", { class: "versions" });
    const versionRows = new Rows(versionList, ({ version }) => {
        const input = h("input", { type: "checkbox", checked: state.versions.has(version) });
        const count = h("span", { class: "count" });
        input.addEventListener("change", () => {
            if (input.checked) state.versions.add(version);
            else state.versions.delete(version);
            touched();
        });
        return { node: h("li", {}, h("label", { class: "chip" }, input, h("span", {}, version), count)), update: (item) => setText(count, number(item.count)) };
    });
    const noVersions = h("p", { class: "quiet" }, t("order.noVersions"));
    const versions = h("fieldset", { class: "choices inner" }, h("legend", {}, t("order.versions")), any.node, these.node, versionList, noVersions);

    // Chosen devices.
    const search = h("input", { type: "search", "aria-label": t("order.search"), placeholder: t("order.search"), autocomplete: "off" });
    search.value = state.search;
    search.addEventListener("input", () => {
        state.search = search.value;
        update();
    });
    search.addEventListener("keydown", (event) => {
        // Enter in the search must not order.
        if (event.key === "Enter") event.preventDefault();
    });
    const picks = h("ul", { class: "picks", role: "group", "aria-label": t("order.chosen") });
    const toggle = (clientId, on) => {
        if (on) state.chosen.add(clientId);
        else state.chosen.delete(clientId);
        touched();
    };
    const rows = new Rows(picks, () => pickRow(state.chosen, toggle));
    const pickAll = h("button", { type: "button", class: "small" });
    const none = h("button", { type: "button", class: "small" }, t("order.clear"));
    const pickCount = h("span", { class: "quiet" });
    let shown = [];
    const choose = (change) => {
        change();
        rows.forget();
        touched();
    };
    pickAll.addEventListener("click", () => choose(() => shown.forEach((device) => state.chosen.add(device.client_id))));
    none.addEventListener("click", () => choose(() => state.chosen.clear()));
    const noMatch = h("p", { class: "quiet" }, t("order.noneMatch"));
    const picker = h("div", { class: "picker" }, h("div", { class: "toolbar" }, search, pickAll, none, pickCount), picks, noMatch);

    // Devices from a list.
    const text = h("textarea", { rows: "6", spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
    text.value = state.list;
    const names = field(t("order.list"), text, { hint: t("order.listHint") });
    text.addEventListener("input", () => {
        state.list = text.value;
        touched();
    });
    const file = h("input", { type: "file", class: "off-screen", accept: ".txt,.csv,text/plain,text/csv", tabindex: "-1", "aria-label": t("order.listFile") });
    const fileButton = h("button", { type: "button", on: { click: () => file.click() } }, t("order.listFile"));
    const readList = async (chosen) => {
        if (chosen.size > MAX_LIST) {
            names.show(t("order.listLarge", { name: chosen.name, size: size(MAX_LIST) }));
            return;
        }
        const content = await chosen.text();
        // What is not UTF-8 text came in with replacement characters.
        if (/[\u0000\uFFFD]/.test(content)) {
            names.show(t("order.listBinary", { name: chosen.name }));
            return;
        }
        text.value = content;
        state.list = content;
        touched();
        if (namesIn(content).length === 0) names.show(t("order.listEmpty"));
    };
    file.addEventListener("change", () => {
        if (file.files.length > 0) readList(file.files[0]);
        file.value = "";
    });
    const lists = h("div", { class: "lister" }, h("p", {}, fileButton, file, h("span", { class: "quiet" }, t("order.listDrop"))), names.node);
    lists.addEventListener("dragover", (event) => event.preventDefault());
    lists.addEventListener("drop", (event) => {
        if (event.dataTransfer?.files.length) {
            event.preventDefault();
            readList(event.dataTransfer.files[0]);
        }
    });

    const reach = h("strong");
    const reachMore = h("span", { class: "quiet" });
    const problem = problemBox();
    const next = h("button", { type: "submit", class: "primary" }, t("order.next"));
    const form = h(
        "form",
        {
            class: "order",
            novalidate: true,
            on: {
                submit: (event) => {
                    event.preventDefault();
                    busy(next, confirm);
                },
            },
        },
        h("div", { class: "field" }, h("label", { for: firmware.id }, t("order.firmware")), firmware),
        h("fieldset", { class: "choices scopes" }, h("legend", {}, t("order.who")), scopes.map(({ node }) => node)),
        versions,
        picker,
        lists,
        problem.node,
        h("div", { class: "order-foot" }, h("div", { class: "reach", role: "status" }, reach, reachMore), h("a", { class: "button", href: "#/upgrades" }, t("action.cancel")), next),
    );
    const noFirmware = h("section", { class: "empty" }, h("p", {}, t("order.noFirmware")), h("p", {}, h("a", { class: "button primary", href: "#/firmware" }, t("order.noFirmwareAction"))));
    const node = h("div", {}, h("a", { class: "back", href: "#/upgrades" }, t("upgrades.title")), h("h1", { tabindex: "-1" }, t("order.title")), noFirmware, form);

    const target = () => store.firmware.get(state.firmware);

    /// Who would get it now, and what stands against ordering.
    function plan() {
        const wanted = target();
        const devices = store.devices.list().filter((device) => device.product_id === wanted.product_id);
        const matches = (device) => (state.anyVersion ? device.version !== wanted.version : state.versions.has(device.version));
        let reached = [];
        let wrong = null;
        let unknown = [];
        let twice = 0;
        let already = 0;
        if (state.scope === "all") {
            reached = devices.filter(matches);
            if (!state.anyVersion && state.versions.size === 0) wrong = t("order.pickVersion");
        } else if (state.scope === "chosen") {
            reached = devices.filter((device) => state.chosen.has(device.client_id) && matches(device));
            if (!state.anyVersion && state.versions.size === 0) wrong = t("order.pickVersion");
            else if (reached.length === 0) wrong = t("order.pickDevice");
        } else {
            const byName = new Map(devices.map((device) => [device.device_name, device]));
            const asked = namesIn(state.list);
            const once = [...new Set(asked)];
            twice = asked.length - once.length;
            unknown = once.filter((name) => !byName.has(name));
            const found = once.filter((name) => byName.has(name)).map((name) => byName.get(name));
            reached = found.filter((device) => device.version !== wanted.version);
            already = found.length - reached.length;
            if (once.length === 0) wrong = t("order.listEmpty");
            else if (unknown.length > 0) {
                let some = listed(unknown.slice(0, NAMES_SHOWN));
                if (unknown.length > NAMES_SHOWN) some = t("order.listMore", { names: some, n: unknown.length - NAMES_SHOWN });
                wrong = t("order.listUnknown", { n: unknown.length, names: some, product: wanted.product_id });
            } else if (reached.length === 0) wrong = t("order.listAlready", { version: wanted.version });
        }
        return { wanted, devices, reached, wrong, unknown, twice, already };
    }

    const standing = () => state.scope === "all";

    function details({ reached, wanted, twice, already }) {
        const online = reached.filter((device) => device.online).length;
        const offline = reached.filter((device) => device.online === false).length;
        const replaced = reached.filter(({ job }) => job && !FINISHED.has(job.state)).length;
        return [
            online > 0 && t("order.reachOnline", { n: online }),
            offline > 0 && t("order.reachOffline", { n: offline }),
            already > 0 && t("order.reachAlready", { n: already, version: wanted.version }),
            replaced > 0 && t("order.reachReplaces", { n: replaced }),
            twice > 0 && t("order.listTwice", { n: twice }),
            standing() && t("order.reachLater"),
        ].filter(Boolean);
    }

    async function confirm() {
        const planned = plan();
        problem.show(null);
        if (planned.wrong) {
            if (state.scope === "listed") {
                names.show(planned.wrong);
                text.focus();
            } else problem.show(planned.wrong);
            return;
        }
        const { wanted, reached } = planned;
        const count = reached.length;
        if (count === 0 && !standing()) {
            problem.show(t("order.reachNone"));
            return;
        }
        const title = count ? t("order.confirmTitle", { n: count, version: wanted.version }) : t("order.confirmNone", { version: wanted.version });
        const content = [
            h("p", {}, `${wanted.product_id} · ${wanted.version}${wanted.name ? ` · ${wanted.name}` : ""} (${size(wanted.size)})`),
            h("ul", { class: "plain" }, details(planned).map((line) => h("li", {}, line))),
        ];
        const given = await question(title, content, {
            yes: count ? t("order.confirm", { n: count }) : t("order.confirmStanding"),
            no: t("action.back"),
            work: () => {
                const asked = { firmware_id: wanted.id, scope: state.scope, from_versions: [], devices: [], list: "" };
                if (state.scope !== "listed" && !state.anyVersion) asked.from_versions = [...state.versions];
                if (state.scope === "chosen") asked.devices = reached.map((device) => device.client_id);
                if (state.scope === "listed") asked.list = state.list;
                return call("POST", "api/upgrades", asked);
            },
            danger: false,
            ready: true,
        });
        if (given) {
            store.upgrades.put(given.answer);
            memory.order = undefined;
            memory.say(t("order.given"));
            location.hash = `#/upgrades/${given.answer.id}`;
        }
    }

    let options = "";

    /// Something was changed by hand: what was said about it before does not hold any more.
    function touched() {
        problem.show(null);
        names.show(null);
        update();
    }

    function update() {
        const all = store.firmware.list();
        noFirmware.hidden = all.length > 0 || !store.loaded;
        form.hidden = all.length === 0;
        if (all.length === 0) return;
        if (!target()) state.firmware = all[0].id;
        const now = all.map((one) => [one.id, `${one.product_id} · ${one.version}${one.name ? ` · ${one.name}` : ""} (${size(one.size)})`]);
        if (JSON.stringify(now) !== options) {
            options = JSON.stringify(now);
            firmware.replaceChildren(...now.map(([id, label]) => h("option", { value: id }, label)));
        }
        firmware.value = state.firmware;

        const planned = plan();
        const { wanted, devices, reached } = planned;
        versions.hidden = state.scope === "listed";
        picker.hidden = state.scope !== "chosen";
        lists.hidden = state.scope !== "listed";

        const counts = new Map();
        for (const { version } of devices) {
            if (version !== null && version !== wanted.version) counts.set(version, (counts.get(version) ?? 0) + 1);
        }
        // A version that is ticked stays, also when its last device has left it.
        for (const version of state.versions) counts.set(version, counts.get(version) ?? 0);
        setText(anyText, t("order.anyVersion", { version: wanted.version }));
        versionRows.set(
            [...counts].sort(([a], [b]) => byText(a, b)).map(([version, count]) => ({ version, count })),
            ({ version }) => version,
        );
        versionList.hidden = state.anyVersion;
        noVersions.hidden = state.anyVersion || counts.size > 0;

        if (state.scope === "chosen") {
            const search = state.search.trim().toLowerCase();
            shown = devices.filter(
                (device) =>
                    (state.anyVersion ? device.version !== wanted.version : state.versions.has(device.version)) &&
                    (!search || device.device_name.toLowerCase().includes(search)),
            );
            rows.set(shown, (device) => device.client_id);
            noMatch.hidden = shown.length > 0;
            picks.hidden = shown.length === 0;
            setText(pickAll, t("order.selectShown", { n: shown.length }));
            setText(pickCount, t("order.selected", { n: reached.length }));
        }
        if (state.scope === "listed" && planned.unknown.length > 0) names.show(planned.wrong);
        setText(
            reach,
            devices.length === 0
                ? t("order.noDevices", { n: 0, product: wanted.product_id })
                : reached.length
                  ? t("order.reach", { n: reached.length })
                  : t(standing() ? "order.reachNoneNow" : "order.reachNone"),
        );
        setText(reachMore, details(planned).join(" · "));
    }
    changed();
    return { title: t("order.title"), node, update };
}
