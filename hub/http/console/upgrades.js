// The orders, and one order with its devices.

import { call, path } from "./hub.js";
import { busy, h, question, Rows, setText } from "./dom.js";
import { number, t } from "./i18n.js";
import { addresses, averages, figures, isActive, jobRow, jobTable, nameOf, percentOf, scopeText, stack, stands, table, timeCell, totalOf } from "./parts.js";
import { FINISHED, openJobs, store } from "./store.js";

function card() {
    const version = h("strong");
    const product = h("span", { class: "product" });
    const name = h("span", { class: "label" });
    const link = h("a", { class: "card-link" }, version);
    const scope = h("span");
    const when = timeCell("when");
    const standing = h("span", { class: "pill", title: t("upgrades.standingText") }, t("upgrades.standing"));
    const progress = stack();
    const done = h("span", { class: "done-of" });
    const counts = figures();
    const node = h(
        "li",
        { class: "card" },
        h("div", { class: "card-head" }, link, product, name, standing, when.node),
        h("p", { class: "quiet" }, scope),
        progress.node,
        h("div", { class: "card-foot" }, done, counts.node),
    );
    let upgrade;
    const update = (item) => {
        upgrade = item;
        link.href = `#/upgrades/${item.id}`;
        setText(version, item.firmware.version);
        setText(product, item.firmware.product_id);
        setText(name, item.firmware.name);
        setText(scope, scopeText(item));
        when.set(item.created_at);
        standing.hidden = !stands(item);
        const total = totalOf(item.counts);
        setText(done, total ? t("upgrades.progress", { done: item.counts.done, total }) : t("upgrades.nobody"));
        counts.set(item.counts);
        progress.set(item.counts, 0);
    };
    return { node, update, advance: (average) => progress.set(upgrade.counts, average(upgrade.id)) };
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
            step(1, t("upgrades.step1"), t("upgrades.step1Text"), "#/devices", store.devices.size > 0),
            step(2, t("upgrades.step2"), t("upgrades.step2Text"), "#/firmware", store.firmware.size > 0),
            step(3, t("upgrades.step3"), t("upgrades.step3Text"), "#/upgrades/new", false),
        ),
        h("h3", {}, t("devices.how")),
        addresses(),
    );
}

const PAGE = 50;

export function upgradesView(memory) {
    memory.shown ??= PAGE;
    const active = h("ul", { class: "cards" });
    const history = h("ul", { class: "cards" });
    const activeRows = new Rows(active, card);
    const historyRows = new Rows(history, card);
    const none = h("p", { class: "quiet" }, t("upgrades.noneActive"));
    const more = h("button", {
        type: "button",
        on: {
            click: () => {
                memory.shown += PAGE;
                update();
            },
        },
    });
    const past = h("section", {}, h("h2", {}, t("upgrades.history")), history, h("p", {}, more));
    const lists = h("div", {}, h("section", {}, h("h2", {}, t("upgrades.active")), none, active), past);
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
        const all = store.upgrades.list();
        lists.hidden = all.length === 0;
        start.hidden = all.length > 0;
        const begun = `${all.length} ${store.devices.size > 0} ${store.firmware.size > 0}`;
        if (all.length === 0 && startShows !== begun) {
            startShows = begun;
            start.replaceChildren(firstSteps());
        }
        const now = all.filter(isActive);
        const old = all.filter((upgrade) => !isActive(upgrade));
        activeRows.set(now, (upgrade) => upgrade.id);
        historyRows.set(old.slice(0, memory.shown), (upgrade) => upgrade.id);
        const average = averages();
        for (const one of activeRows.rows.values()) one.advance(average);
        none.hidden = now.length > 0;
        past.hidden = old.length === 0;
        const rest = Math.min(PAGE, old.length - memory.shown);
        more.hidden = rest <= 0;
        setText(more, t("upgrades.more", { n: rest }));
    }
    return { title: t("upgrades.title"), node, update };
}

/// Where a job stands, for the filter: what runs is one group.
const groupOf = (job) => (job.state === "waiting" || FINISHED.has(job.state) ? job.state : "running");
const GROUPS = ["all", "waiting", "running", "done", "failed", "cancelled"];

function deviceRow() {
    const from = h("span");
    const to = h("span");
    const arrow = h("span", { class: "arrow", "aria-hidden": "true" }, " → ");
    return jobRow([from, arrow, to], (job) => nameOf(job.client_id), (job, name) => {
        setText(name, nameOf(job.client_id));
        name.href = `#/devices/${encodeURIComponent(job.client_id)}`;
        setText(from, job.from_version ?? "?");
        setText(to, job.version);
    });
}

export function upgradeView(memory, id) {
    memory.group ??= "all";
    memory.search ??= "";
    openJobs(id);
    const heading = h("h1", { tabindex: "-1" });
    const stop = h("button", { type: "button", class: "danger", "data-needs": "order", on: { click: () => busy(stop, cancel) } }, t("upgrade.stop"));
    const again = h("button", { type: "button", "data-needs": "order", on: { click: orderAgain } }, t("upgrade.again"));
    const facts = h("dl", { class: "facts" });
    const progress = stack();
    const standing = h("p", { class: "note" }, t("upgrades.standingText"));
    const search = h("input", { type: "search", "aria-label": t("upgrade.search"), placeholder: t("upgrade.search"), autocomplete: "off" });
    search.value = memory.search;
    search.addEventListener("input", () => {
        memory.search = search.value;
        update();
        memory.announce(none.hidden ? t("devices.count", { n: list.body.childElementCount }) : none.textContent);
    });
    const groups = new Map(
        GROUPS.map((group) => {
            const count = h("span", { class: "count" });
            const choose = () => {
                memory.group = group;
                update();
            };
            const button = h("button", { type: "button", class: `filter ${group}`, on: { click: choose } }, t(`state.${group}`), count);
            return [group, { button, count }];
        }),
    );
    const list = jobTable(t("upgrade.table"), t("upgrade.device"));
    const rows = new Rows(list.body, deviceRow);
    const none = h("p", { class: "empty-line" });
    const content = h(
        "div",
        {},
        h("div", { class: "panel" }, facts, progress.node, standing),
        h(
            "div",
            { class: "toolbar" },
            h("div", { class: "filters", role: "group", "aria-label": t("upgrade.filter") }, [...groups.values()].map(({ button }) => button)),
            search,
        ),
        list.node,
        none,
    );
    const gone = h("p", { class: "empty-line" }, t("upgrade.gone"));
    const node = h(
        "div",
        {},
        h("a", { class: "back", href: "#/upgrades" }, t("upgrades.title")),
        h("div", { class: "page-head" }, heading, h("div", { class: "actions" }, again, stop)),
        content,
        gone,
    );

    const fact = (label, ...value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
    let factsOf;
    function tellFacts(upgrade) {
        if (factsOf === upgrade.cancelled_at) return;
        factsOf = upgrade.cancelled_at;
        const when = timeCell();
        when.set(upgrade.created_at);
        const ended = timeCell();
        ended.set(upgrade.cancelled_at);
        facts.replaceChildren(
            fact(t("upgrade.firmware"), `${upgrade.firmware.version}`, upgrade.firmware.name && ` · ${upgrade.firmware.name}`),
            fact(t("upgrade.product"), upgrade.firmware.product_id),
            fact(t("upgrade.target"), scopeText(upgrade)),
            fact(t("upgrade.time"), when.node),
            ...(upgrade.cancelled_at === null ? [] : [fact(t("state.cancelled"), ended.node)]),
        );
    }

    const failedDevices = () => store.jobs.list().filter((job) => job.state === "failed").map((job) => job.client_id);

    function orderAgain() {
        const upgrade = store.upgrades.get(id);
        location.hash = `#/upgrades/new?${new URLSearchParams({ firmware: upgrade.firmware.id, devices: failedDevices().join(",") })}`;
    }

    const notStarted = () => store.jobs.list().filter((job) => job.state === "waiting" || job.state === "sent").length;

    async function cancel() {
        const upgrade = store.upgrades.get(id);
        const waiting = notStarted();
        const running = store.jobs.list().length - waiting - store.jobs.list().filter((job) => FINISHED.has(job.state)).length;
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
            work: async () => store.upgrades.put(await call("POST", path("upgrades", id, "cancel"))),
            ready: true,
        });
        if (stopped) {
            memory.say(t("upgrade.stopDone"));
            update();
        }
    }

    function update() {
        const upgrade = store.upgrades.get(id);
        content.hidden = !upgrade;
        gone.hidden = Boolean(upgrade) || !store.loaded;
        stop.hidden = true;
        again.hidden = true;
        if (!upgrade) return;
        setText(heading, t("upgrade.title", { version: upgrade.firmware.version }));
        tellFacts(upgrade);
        const open = stands(upgrade);
        standing.hidden = !open;
        const jobs = store.jobs.list();
        const counts = { all: jobs.length, waiting: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
        let sum = 0;
        for (const job of jobs) {
            const group = groupOf(job);
            counts[group] += 1;
            if (group === "running") sum += percentOf(job);
        }
        progress.set(counts, sum / Math.max(1, counts.running));
        stop.hidden = upgrade.cancelled_at !== null || !(open || notStarted() > 0);
        again.hidden = isActive(upgrade) || counts.failed === 0 || !store.firmware.get(upgrade.firmware.id);
        for (const [group, { button, count }] of groups) {
            setText(count, number(counts[group]));
            button.hidden = group !== "all" && counts[group] === 0 && memory.group !== group;
            button.setAttribute("aria-pressed", String(memory.group === group));
        }
        const wanted = memory.search.trim().toLowerCase();
        const shown = jobs.filter(
            (job) =>
                (memory.group === "all" || groupOf(job) === memory.group) && (!wanted || nameOf(job.client_id).toLowerCase().includes(wanted)),
        );
        rows.set(shown, (job) => job.id);
        list.node.hidden = shown.length === 0;
        none.hidden = shown.length > 0;
        setText(none, jobs.length > 0 ? t("upgrade.noMatch") : open ? t("upgrade.noneStanding") : t("upgrade.none"));
    }
    return { title: t("upgrades.title"), node, update, close: () => openJobs(null) };
}
