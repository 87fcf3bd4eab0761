// The orders, and one order with its devices.

import { call, path, withQuery } from "./hub.js";
import { busy, h, question, Rows, setText } from "./dom.js";
import { number, t } from "./i18n.js";
import { addresses, figures, isActive, jobRow, jobTable, later, moreButton, nameOf, percentOf, scopeText, stack, stands, timeCell, totalOf } from "./parts.js";
import { pillText, planLines, rollOutControls, stageText } from "./roll_out.js";
import { changed, closeJobs, findFirmware, groupOf, openJobs, putUpgrade, store } from "./store.js";

function card() {
    const version = h("strong");
    const product = h("span", { class: "product" });
    const name = h("span", { class: "label" });
    const link = h("a", { class: "card-link" }, version);
    const scope = h("span");
    const when = timeCell("when");
    const standing = h("span", { class: "pill", title: t("upgrades.standingText") }, t("upgrades.standing"));
    const stage = h("span", { class: "pill" });
    const progress = stack();
    const done = h("span", { class: "done-of" });
    const counts = figures();
    const node = h(
        "li",
        { class: "card" },
        h("div", { class: "card-head" }, link, product, name, standing, stage, when.node),
        h("p", { class: "quiet" }, scope),
        progress.node,
        h("div", { class: "card-foot" }, done, counts.node),
    );
    const update = (item) => {
        link.href = `#/upgrades/${item.id}`;
        setText(version, item.firmware.version);
        setText(product, item.firmware.product_id);
        setText(name, item.firmware.name);
        setText(scope, scopeText(item));
        when.set(item.created_at);
        standing.hidden = !stands(item);
        setText(stage, pillText(item));
        stage.hidden = stage.textContent === "";
        const total = totalOf(item.counts);
        setText(done, total ? t("upgrades.progress", { done: item.counts.done, total }) : t("upgrades.nobody"));
        counts.set(item.counts);
        progress.set(item.counts, 0);
    };
    return { node, update };
}

function firstSteps() {
    const step = (number, title, text, href, done) =>
        h(
            "li",
            { class: done ? "step is-done" : "step" },
            h("span", { class: "step-mark", "aria-hidden": "true" }, done ? "✓" : String(number)),
            h("div", {}, h("a", { href }, title), done && h("span", { class: "off-screen" }, ` (${t("upgrades.stepDone")})`), h("p", { class: "quiet" }, text)),
        );
    return h(
        "section",
        { class: "empty" },
        h("h2", {}, t("upgrades.empty")),
        h("p", {}, t("upgrades.emptyText")),
        h(
            "ol",
            { class: "steps" },
            step(1, t("upgrades.step1"), t("upgrades.step1Text"), "#/devices", store.anyDevice),
            step(2, t("upgrades.step2"), t("upgrades.step2Text"), "#/firmware", store.anyFirmware),
            step(3, t("upgrades.step3"), t("upgrades.step3Text"), "#/upgrades/new", false),
        ),
        h("h3", {}, t("devices.how")),
        addresses(),
    );
}

export function upgradesView(memory) {
    const isPast = (upgrade) => !isActive(upgrade);
    store.active.open("api/upgrades", { active: true }, isActive);
    store.past.open("api/upgrades", { active: false }, isPast);
    const active = h("ul", { class: "cards" });
    const history = h("ul", { class: "cards" });
    const activeRows = new Rows(active, card);
    const historyRows = new Rows(history, card);
    const none = h("p", { class: "quiet" }, t("upgrades.noneActive"));
    const moreActive = moreButton(store.active, memory.say);
    const morePast = moreButton(store.past, memory.say);
    const past = h("section", {}, h("h2", {}, t("upgrades.history")), history, morePast.node);
    const lists = h("div", {}, h("section", {}, h("h2", {}, t("upgrades.active")), none, active, moreActive.node), past);
    const start = h("div");
    let startShows = "";
    const node = h(
        "div",
        {},
        h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, t("upgrades.title")), h("a", { class: "button primary", href: "#/upgrades/new", "data-needs": "order" }, t("upgrades.new"))),
        start,
        lists,
    );

    function update() {
        const isKnown = store.active.loaded && store.past.loaded;
        const [now, old] = [store.active.entries(), store.past.entries()];
        const isEmpty = now.length + old.length === 0;
        lists.hidden = isEmpty;
        start.hidden = !isEmpty || !isKnown;
        const begun = `${isEmpty} ${store.anyDevice} ${store.anyFirmware}`;
        if (isEmpty && startShows !== begun) {
            startShows = begun;
            start.replaceChildren(firstSteps());
        }
        activeRows.set(now, (upgrade) => upgrade.id);
        historyRows.set(old, (upgrade) => upgrade.id);
        moreActive.update();
        morePast.update();
        none.hidden = now.length > 0;
        past.hidden = old.length === 0;
    }
    const close = () => {
        store.active.close();
        store.past.close();
    };
    return { title: t("upgrades.title"), node, update, close };
}

const GROUPS = ["all", "waiting", "running", "done", "failed", "cancelled"];

function deviceRow() {
    const from = h("span");
    const to = h("span");
    const arrow = h("span", { class: "arrow", "aria-hidden": "true" }, " → ");
    const label = (job) => nameOf(job.client_id, store.upgrade?.firmware.product_id);
    return jobRow([from, arrow, to], label, (job, name) => {
        setText(name, label(job));
        name.href = `#/devices/${encodeURIComponent(job.client_id)}`;
        setText(from, job.from_version ?? "?");
        setText(to, job.version);
    });
}

export function upgradeView(memory, id) {
    memory.group ??= "all";
    memory.search ??= "";
    let asking = true;
    const ask = () => openJobs(id, memory.group, memory.search.trim());
    const searched = later(async () => {
        await ask();
        memory.announce(none.hidden ? t("devices.count", { n: store.jobs.size }) : none.textContent);
    });
    ask().finally(() => {
        asking = false;
        changed();
    });
    const heading = h("h1", { tabindex: "-1" });
    const stop = h("button", { type: "button", class: "danger", "data-needs": "order", on: { click: () => busy(stop, cancel) } }, t("upgrade.stop"));
    const again = h("button", { type: "button", "data-needs": "order", on: { click: orderAgain } }, t("upgrade.again"));
    const rollOut = rollOutControls(id, (upgrade, text) => {
        putUpgrade(upgrade);
        memory.say(text);
        update();
    });
    const facts = h("dl", { class: "facts" });
    const progress = stack();
    const standing = h("p", { class: "note" }, t("upgrades.standingText"));
    const search = h("input", { type: "search", "aria-label": t("upgrade.search"), placeholder: t("upgrade.search"), autocomplete: "off" });
    search.value = memory.search;
    search.addEventListener("input", () => {
        memory.search = search.value;
        searched();
    });
    const groups = new Map(
        GROUPS.map((group) => {
            const count = h("span", { class: "count" });
            const choose = () => {
                memory.group = group;
                ask();
                update();
            };
            const button = h("button", { type: "button", class: `filter ${group}`, on: { click: choose } }, t(`state.${group}`), count);
            return [group, { button, count }];
        }),
    );
    const list = jobTable(t("upgrade.table"), t("upgrade.device"));
    const rows = new Rows(list.body, deviceRow);
    const more = moreButton(store.jobs, memory.say);
    const none = h("p", { class: "empty-line" });
    const content = h(
        "div",
        {},
        rollOut.stopped,
        h("div", { class: "panel" }, facts, progress.node, standing),
        h(
            "div",
            { class: "toolbar" },
            h("div", { class: "filters", role: "group", "aria-label": t("upgrade.filter") }, [...groups.values()].map(({ button }) => button)),
            search,
        ),
        list.node,
        more.node,
        none,
    );
    const gone = h("p", { class: "empty-line" }, t("upgrade.gone"));
    const node = h(
        "div",
        {},
        h("a", { class: "back", href: "#/upgrades" }, t("upgrades.title")),
        h("div", { class: "page-head" }, heading, h("div", { class: "actions" }, again, rollOut.buttons, stop)),
        content,
        gone,
    );

    const fact = (label, ...value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
    let factsOf;
    function tellFacts(upgrade) {
        const known = JSON.stringify([upgrade.cancelled_at, upgrade.roll_out]);
        if (factsOf === known) return;
        factsOf = known;
        const stage = stageText(upgrade);
        const plan = upgrade.roll_out ? planLines(upgrade.roll_out.plan) : [];
        const when = timeCell();
        when.set(upgrade.created_at);
        const ended = timeCell();
        ended.set(upgrade.cancelled_at);
        facts.replaceChildren(
            fact(t("upgrade.firmware"), `${upgrade.firmware.version}`, upgrade.firmware.name && ` · ${upgrade.firmware.name}`),
            fact(t("upgrade.product"), upgrade.firmware.product_id),
            fact(t("upgrade.target"), scopeText(upgrade)),
            fact(t("upgrade.time"), when.node),
            ...(plan.length > 0 ? [fact(t("rollOut.title"), plan.join(" · "))] : []),
            ...(stage ? [fact(t("rollOut.stage"), stage)] : []),
            ...(upgrade.cancelled_at === null ? [] : [fact(t("state.cancelled"), ended.node)]),
        );
    }

    /// Whether there is this firmware still, as far as that is known.
    let offer = { id: null, isThere: false };
    function isOffered(id) {
        if (offer.id !== id) {
            offer = { id, isThere: false };
            const known = (firmware) => {
                offer = { id, isThere: firmware !== null };
                changed();
            };
            findFirmware(id).then(known, (error) => memory.say(error.message));
        }
        return offer.isThere;
    }

    function orderAgain() {
        location.hash = `#/upgrades/new?${new URLSearchParams({ firmware: store.upgrade.firmware.id, again: id })}`;
    }

    /// Those that were told and have not begun, as far as a page of the hub's goes.
    const told = async () => (await call("GET", withQuery(path("upgrades", id), { state: "sent" }))).jobs.length;

    async function cancel() {
        const { upgrade } = store;
        let sent;
        try {
            sent = await told();
        } catch (error) {
            memory.say(error.message);
            return;
        }
        const waiting = upgrade.counts.waiting + sent;
        const running = upgrade.counts.running - sent;
        const effects = h(
            "ul",
            { class: "plain" },
            waiting > 0 && h("li", {}, t("upgrade.stopWaiting", { n: waiting })),
            running > 0 && h("li", {}, t("upgrade.stopRunning", { n: running })),
            stands(upgrade) && h("li", {}, t("upgrade.stopStanding")),
        );
        const stopped = await question(t("upgrade.stopTitle"), effects, {
            yes: t("upgrade.stopConfirm"),
            no: t("upgrade.stopKeep"),
            work: async () => putUpgrade(await call("POST", path("upgrades", id, "cancel"))),
            ready: true,
        });
        if (stopped) {
            memory.say(t("upgrade.stopDone"));
            update();
        }
    }

    function update() {
        const { upgrade } = store;
        content.hidden = !upgrade;
        gone.hidden = Boolean(upgrade) || asking;
        stop.hidden = true;
        again.hidden = true;
        rollOut.update(upgrade, Boolean(upgrade) && isActive(upgrade));
        if (!upgrade) return;
        setText(heading, t("upgrade.title", { version: upgrade.firmware.version }));
        tellFacts(upgrade);
        const open = stands(upgrade);
        standing.hidden = !open;
        const jobs = store.jobs.entries();
        const counts = { all: totalOf(upgrade.counts), ...upgrade.counts };
        const running = jobs.filter((job) => groupOf(job) === "running");
        progress.set(counts, running.reduce((sum, job) => sum + percentOf(job), 0) / Math.max(1, running.length));
        stop.hidden = upgrade.cancelled_at !== null || !isActive(upgrade);
        again.hidden = isActive(upgrade) || counts.failed === 0 || !isOffered(upgrade.firmware.id);
        for (const [group, { button, count }] of groups) {
            setText(count, number(counts[group]));
            button.hidden = group !== "all" && counts[group] === 0 && memory.group !== group;
            button.setAttribute("aria-pressed", String(memory.group === group));
        }
        rows.set(jobs, (job) => job.id);
        more.update();
        list.node.hidden = jobs.length === 0;
        none.hidden = jobs.length > 0 || !store.jobs.loaded;
        setText(none, counts.all > 0 ? t("upgrade.noMatch") : open ? t("upgrade.noneStanding") : t("upgrade.none"));
    }
    return { title: t("upgrades.title"), node, update, close: closeJobs };
}
