// Ordering an upgrade: which firmware, which devices, how many that are, and the last question.

import { call, callAll, path, withQuery } from "./hub.js";
import { radio } from "./devices.js";
import { field, formFor, freshId, h, problemBox, question, Rows, setClass, setText } from "./dom.js";
import { list as listed, number, size, t } from "./i18n.js";
import { later, moreButton } from "./parts.js";
import { initialRollOut, planLines, rollOutForm } from "./roll_out.js";
import { byText, changed, findFirmware, openFirmware, putUpgrade, store } from "./store.js";

const MAX_LIST = 4_000_000;
const NAMES_SHOWN = 5;
/// Devices that are offered at once.
const PAGE = 100;

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

/// Enter in a search must not order.
function notBySearch(event) {
    if (event.key === "Enter") event.preventDefault();
}

function initial(query) {
    const again = Number(query.get("again")) || null;
    return {
        firmware: Number(query.get("firmware")) || null,
        /// Those that failed in this order are chosen.
        again,
        scope: again ? "chosen" : "all",
        anyVersion: true,
        versions: new Set(),
        firmwareSearch: "",
        /// Client ids.
        chosen: new Set(),
        search: "",
        tag: "",
        list: "",
        rollOut: initialRollOut(),
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
        state.tag = "";
        rows.forget();
        touched();
    });
    // Where there is more than a page of it.
    const find = h("input", { type: "search", "aria-label": t("firmware.search"), placeholder: t("firmware.search"), autocomplete: "off" });
    find.value = state.firmwareSearch;
    const offerFirmware = () => openFirmware(state.firmwareSearch.trim());
    const sought = later(offerFirmware);
    find.addEventListener("input", () => {
        state.firmwareSearch = find.value;
        sought();
    });
    find.addEventListener("keydown", notBySearch);
    const scopes = ["all", "chosen", "listed", "tagged"].map((scope) => {
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
            tryTo(picked.open);
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
            tryTo(picked.open);
        });
        return { node: h("li", {}, h("label", { class: "chip" }, input, h("span", {}, version), count)), update: (item) => setText(count, number(item.count)) };
    });
    const noVersions = h("p", { class: "quiet" }, t("order.noVersions"));
    const versions = h("fieldset", { class: "choices inner" }, h("legend", {}, t("order.versions")), any.node, these.node, versionList, noVersions);

    // Chosen devices.
    const search = h("input", { type: "search", "aria-label": t("order.search"), placeholder: t("order.search"), autocomplete: "off" });
    search.value = state.search;
    const typed = later(() => tryTo(picked.open));
    search.addEventListener("input", () => {
        state.search = search.value;
        typed();
    });
    search.addEventListener("keydown", notBySearch);
    const picks = h("ul", { class: "picks", role: "group", "aria-label": t("order.chosen") });
    const toggle = (clientId, on) => {
        if (on) state.chosen.add(clientId);
        else state.chosen.delete(clientId);
        touched();
    };
    /// The devices that are offered: of the versions chosen, and whose names begin so.
    const picked = {
        shown: [],
        next: undefined,
        round: 0,
        open: () => picked.ask([], [0, undefined]),
        more: () => picked.ask(picked.shown, picked.next),
        /// Of more versions than one, each has pages of its own: `place` is a version and what its page comes after.
        async ask(shown, place) {
            const round = (picked.round += 1);
            const query = { product: target()?.product_id, search: state.search.trim(), limit: PAGE };
            const versions = state.anyVersion ? [undefined] : [...state.versions].sort();
            let [at, after] = place;
            const found = [];
            while (at < versions.length && found.length < PAGE) {
                const answer = await call("GET", withQuery("api/devices", { ...query, version: versions[at], after }));
                if (round !== picked.round) return;
                found.push(...answer.devices);
                after = answer.next;
                if (after === undefined) at += 1;
            }
            picked.shown = [...shown, ...found];
            picked.next = at < versions.length ? [at, after] : undefined;
            update();
        },
    };
    const more = moreButton(picked, memory.say);
    const rows = new Rows(picks, () => pickRow(state.chosen, toggle));
    const pickAll = h("button", { type: "button", class: "small" });
    const none = h("button", { type: "button", class: "small" }, t("order.clear"));
    const pickCount = h("span", { class: "quiet" });
    const choose = (change) => {
        change();
        rows.forget();
        touched();
    };
    pickAll.addEventListener("click", () => choose(() => offered().forEach((device) => state.chosen.add(device.client_id))));
    none.addEventListener("click", () => choose(() => state.chosen.clear()));
    const noMatch = h("p", { class: "quiet" }, t("order.noneMatch"));
    const picker = h("div", { class: "picker" }, h("div", { class: "toolbar" }, search, pickAll, none, pickCount), picks, more.node, noMatch);

    // Devices with a tag.
    const tags = h("select", { id: freshId("field") });
    tags.addEventListener("change", () => {
        state.tag = tags.value;
        touched();
    });
    const noTags = h("p", { class: "quiet" }, t("order.noTags"));
    const tagged = h("div", { class: "field" }, h("label", { for: tags.id }, t("order.tag")), tags, noTags);

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

    const rollOut = rollOutForm(state.rollOut, () => touched());

    const reach = h("strong");
    const reachMore = h("span", { class: "quiet" });
    const problem = problemBox();
    const next = h("button", { type: "submit", class: "primary" }, t("order.next"));
    const form = formFor(
        next,
        confirm,
        { class: "order" },
        h("div", { class: "field" }, h("label", { for: firmware.id }, t("order.firmware")), find, firmware),
        h("fieldset", { class: "choices scopes" }, h("legend", {}, t("order.who")), scopes.map(({ node }) => node)),
        tagged,
        versions,
        picker,
        lists,
        rollOut.node,
        problem.node,
        h("div", { class: "order-foot" }, h("div", { class: "reach", role: "status" }, reach, reachMore), h("a", { class: "button", href: "#/upgrades" }, t("action.cancel")), next),
    );
    const noFirmware = h("section", { class: "empty" }, h("p", {}, t("order.noFirmware")), h("p", {}, h("a", { class: "button primary", href: "#/firmware" }, t("order.noFirmwareAction"))));
    const node = h("div", {}, h("a", { class: "back", href: "#/upgrades" }, t("upgrades.title")), h("h1", { tabindex: "-1" }, t("order.title")), noFirmware, form);

    /// The firmware that is chosen: one of those offered, or of a page that is not shown.
    let chosen = null;
    const target = () => (chosen?.id === state.firmware ? chosen : undefined);
    let asked = null;
    async function know(id) {
        if (asked === id) return;
        asked = id;
        const firmware = await findFirmware(id);
        if (state.firmware !== id) return;
        // It is gone: any other one.
        if (firmware === null) state.firmware = null;
        chosen = firmware;
        changed();
    }
    const tryTo = (ask) => ask().catch((error) => problem.show(error.message));

    /// What the hub knows of the product: its versions and tags, with how many devices each.
    let known = { product: null, versions: [], tags: [] };
    async function offer() {
        const product = target()?.product_id;
        if (product === undefined) return;
        known = { ...known, product };
        const list = (what) => call("GET", path("products", product, what)).then((answer) => answer[what]);
        const [versions, tagsThere] = await Promise.all([list("versions"), list("tags")]);
        if (target()?.product_id !== product) return;
        known = { product, versions, tags: tagsThere };
        await picked.open();
    }

    /// What can be picked: one that runs the version already would not be reached.
    const offered = () => picked.shown.filter((device) => !state.anyVersion || device.version !== target().version);

    /// What stands against asking the hub at all.
    function missing() {
        if (state.scope === "listed") return namesIn(state.list).length === 0 ? t("order.listEmpty") : null;
        if (!state.anyVersion && state.versions.size === 0) return t("order.pickVersion");
        if (state.scope === "tagged" && !state.tag) return t("order.pickTag");
        if (state.scope === "chosen" && state.chosen.size === 0) return t("order.pickDevice");
        return null;
    }

    /// The order as the hub takes it.
    function order() {
        const asked = { firmware_id: target().id, scope: state.scope, from_versions: [], devices: [], list: "" };
        if (state.scope !== "listed" && !state.anyVersion) asked.from_versions = [...state.versions];
        if (state.scope === "chosen") asked.devices = [...state.chosen];
        if (state.scope === "listed") asked.list = state.list;
        if (state.scope === "tagged") asked.tag = state.tag;
        return asked;
    }

    /// Whom it would reach now, as the hub has worked it out; null: that is not known, or something is missing.
    let reached = null;
    let round = 0;
    async function work() {
        const mine = (round += 1);
        let answer = null;
        let wrong = null;
        if (target() && !missing()) {
            try {
                answer = await call("POST", path("upgrades", "reach"), order());
            } catch (error) {
                wrong = error.message;
            }
        }
        if (mine !== round) return;
        reached = answer;
        problem.show(wrong);
        update();
    }
    const workLater = later(work);

    /// What is wrong with an order that the hub would reach so.
    function wrongWith({ devices, left_out: already, unknown, unknown_names: some }) {
        const { product_id: product, version } = target();
        if (unknown > 0) {
            let names = listed(some.slice(0, NAMES_SHOWN));
            if (unknown > NAMES_SHOWN) names = t("order.listMore", { names, n: unknown - NAMES_SHOWN });
            return t("order.listUnknown", { n: unknown, names, product });
        }
        if (state.scope === "listed" && devices === 0 && already > 0) return t("order.listAlready", { version });
        return devices === 0 && !standing() ? t("order.reachNone") : null;
    }

    const standing = () => state.scope === "all" || state.scope === "tagged";

    const namedTwice = () => {
        if (state.scope !== "listed") return 0;
        const names = namesIn(state.list);
        return names.length - new Set(names).size;
    };

    function details({ devices, online, left_out: already, replaced }) {
        const twice = namedTwice();
        // Of very many devices the hub does not say who is there.
        const [there, away] = online === null ? [0, 0] : [online, devices - online];
        // With a roll-out each has its turn.
        const staged = rollOut.plan();
        return [
            !staged && there > 0 && t("order.reachOnline", { n: there }),
            !staged && away > 0 && t("order.reachOffline", { n: away }),
            already > 0 && state.scope === "listed" && t("order.reachAlready", { n: already, version: target().version }),
            replaced > 0 && t("order.reachReplaces", { n: replaced }),
            twice > 0 && t("order.listTwice", { n: twice }),
            standing() && t("order.reachLater"),
        ].filter(Boolean);
    }

    async function confirm() {
        problem.show(null);
        let wrong = missing();
        if (!wrong) {
            // Another question on its way would make this one's answer stale.
            workLater.cancel();
            await work();
            // What the hub has refused stands there.
            if (!reached) return;
            wrong = wrongWith(reached);
        }
        if (wrong) {
            if (state.scope === "listed") {
                names.show(wrong);
                text.focus();
            } else problem.show(wrong);
            return;
        }
        const staged = rollOut.plan({ tell: true });
        if (staged === undefined) return;
        const wanted = target();
        const count = reached.devices;
        const title = count ? t("order.confirmTitle", { n: count, version: wanted.version }) : t("order.confirmNone", { version: wanted.version });
        const content = [
            h("p", {}, `${wanted.product_id} · ${wanted.version}${wanted.name ? ` · ${wanted.name}` : ""} (${size(wanted.size)})`),
            h("ul", { class: "plain" }, [...details(reached), ...(staged ? planLines(staged) : [])].map((line) => h("li", {}, line))),
        ];
        const given = await question(title, content, {
            yes: count ? t("order.confirm", { n: count }) : t("order.confirmStanding"),
            no: t("action.back"),
            work: () => call("POST", "api/upgrades", staged ? { ...order(), roll_out: staged } : order()),
            danger: false,
            ready: true,
        });
        if (given) {
            putUpgrade(given.answer);
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
        reached = null;
        round += 1;
        update();
        workLater();
    }

    function update() {
        const offers = store.firmware.entries();
        noFirmware.hidden = store.anyFirmware || !store.loaded;
        if (state.firmware === null && offers.length > 0) state.firmware = offers[0].id;
        chosen = store.firmware.get(state.firmware) ?? chosen;
        form.hidden = !target();
        if (!target()) {
            if (state.firmware !== null && store.firmware.loaded) tryTo(() => know(state.firmware));
            return;
        }
        find.hidden = store.firmware.next === undefined && state.firmwareSearch === "";
        const all = store.firmware.get(state.firmware) ? offers : [target(), ...offers];
        const now = all.map((one) => [one.id, `${one.product_id} · ${one.version}${one.name ? ` · ${one.name}` : ""} (${size(one.size)})`]);
        if (JSON.stringify(now) !== options) {
            options = JSON.stringify(now);
            firmware.replaceChildren(...now.map(([id, label]) => h("option", { value: id }, label)));
        }
        firmware.value = state.firmware;

        rollOut.update();
        const wanted = target();
        if (known.product !== wanted.product_id) {
            tryTo(offer);
            workLater();
        }
        versions.hidden = state.scope === "listed";
        picker.hidden = state.scope !== "chosen";
        lists.hidden = state.scope !== "listed";
        tagged.hidden = state.scope !== "tagged";

        const counts = new Map(known.versions.filter(({ version }) => version !== wanted.version).map(({ version, devices }) => [version, devices]));
        // A version that is ticked stays, also when its last device has left it.
        for (const version of state.versions) counts.set(version, counts.get(version) ?? 0);
        setText(anyText, t("order.anyVersion", { version: wanted.version }));
        versionRows.set(
            [...counts].sort(([a], [b]) => byText(a, b)).map(([version, count]) => ({ version, count })),
            ({ version }) => version,
        );
        versionList.hidden = state.anyVersion;
        noVersions.hidden = state.anyVersion || counts.size > 0;
        tellTags();

        if (state.scope === "chosen") {
            const shown = offered();
            rows.set(shown, (device) => device.client_id);
            more.update();
            noMatch.hidden = shown.length > 0;
            picks.hidden = shown.length === 0;
            setText(pickAll, t("order.selectShown", { n: shown.length }));
            setText(pickCount, t("order.selected", { n: state.chosen.size }));
        }
        const wrong = reached && wrongWith(reached);
        if (state.scope === "listed" && wrong) names.show(wrong);
        setText(reach, reached === null ? "" : reached.devices ? t("order.reach", { n: reached.devices }) : t(standing() ? "order.reachNoneNow" : "order.reachNone"));
        setText(reachMore, reached === null ? "" : details(reached).join(" · "));
    }

    let tagOptions = "";
    function tellTags() {
        const now = [["", t("order.pickTag")], ...known.tags.map(({ tag, devices }) => [tag, `${tag} (${number(devices)})`])];
        if (JSON.stringify(now) !== tagOptions) {
            tagOptions = JSON.stringify(now);
            tags.replaceChildren(...now.map(([value, label]) => h("option", { value }, label)));
        }
        tags.value = state.tag;
        noTags.hidden = known.tags.length > 0;
    }

    /// Those that failed in an order are chosen once they are known.
    async function chooseFailed(id) {
        const failed = await callAll(path("upgrades", id), "jobs", { state: "failed" });
        for (const job of failed) state.chosen.add(job.client_id);
        rows.forget();
        touched();
    }
    if (state.again) {
        const { again } = state;
        tryTo(() => chooseFailed(again));
        state.again = null;
    }
    offerFirmware();
    changed();
    return { title: t("order.title"), node, update, close: () => store.firmware.close() };
}
