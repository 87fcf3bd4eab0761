// How the hub is: whether it serves, and what /metrics counts, in words.

import { plain } from "./hub.js";
import { attempt, h, problemBox, setClass, setText } from "./dom.js";
import { exactSize, has, number, size, t } from "./i18n.js";
import { may } from "./roles.js";
import { store } from "./store.js";
import { hubHead } from "./tabs.js";

const EVERY_MS = 5000;

/// What /healthz says in English.
const REASONS = { "the database does not answer": "health.database", "there is no connection to the broker": "health.broker" };

/// What is told together, by the names of /metrics; what stands in none of these is told last, by its name there.
const GROUPS = [
    ["health.now", ["hub_devices_online", "hub_watchers", "hub_queued_messages", "hub_folder_hubs"]],
    ["health.upgrades", ["hub_jobs.waiting", "hub_jobs.sent", "hub_jobs.downloading", "hub_jobs.burning", "hub_orders.given", "hub_orders.cancelled"]],
    ["health.devices", [
        "hub_connections_total.taken", "hub_connections_total.refused", "hub_messages_total", "hub_reports_total.version",
        "hub_reports_total.downloading", "hub_reports_total.burning", "hub_reports_total.done", "hub_reports_total.fail", "hub_reports_total.other",
    ]],
    ["health.work", [
        "hub_commands_total", "hub_claims_total", "hub_downloads_total.whole", "hub_downloads_total.cut", "hub_downloads_total.refused",
        "hub_download_bytes_total", "hub_warnings_total", "hub_database_errors_total",
    ]],
];
/// Told in words elsewhere on the page.
const ELSEWHERE = new Set(["hub_build_info", "hub_broker_connected"]);

/// The figures of a text of Prometheus by name, or by name and the value of the label. The hub's have one label at most.
export function figuresOf(text) {
    const figures = new Map();
    for (const line of text.split("\n")) {
        const [, name, label, value] = /^(\w+)(?:\{\w+="([^"]*)"\})? (\S+)$/.exec(line) ?? [];
        if (name && !ELSEWHERE.has(name)) figures.set(label === undefined ? name : `${name}.${label}`, Number(value));
    }
    return figures;
}

function shown(name, value) {
    const bytes = name === "hub_download_bytes_total";
    return h("dd", { title: bytes && exactSize(value) }, bytes ? size(value) : number(value));
}

function group(title, figures) {
    const lines = figures.map(([name, value]) => h("div", {}, h("dt", {}, has(`figure.${name}`) ? t(`figure.${name}`) : name), shown(name, value)));
    return lines.length > 0 && h("section", { class: "panel" }, h("h2", {}, t(title)), h("dl", { class: "facts" }, lines));
}

export function healthView() {
    const state = h("strong", { class: "online unknown", role: "status" });
    const facts = h("dl", { class: "facts" });
    const groups = h("div", {});
    const problem = problemBox();
    const node = h("div", {}, hubHead("health"), problem.node, h("section", { class: "panel" }, h("p", {}, state), facts), groups);

    async function ask() {
        const health = await plain("healthz");
        const why = health.text.trim();
        setClass(state, `online ${health.ok ? "yes" : "no"}`);
        setText(state, health.ok ? t("health.good") : t("health.bad", { why: REASONS[why] ? t(REASONS[why]) : why }));
        const metrics = await plain("metrics");
        if (!metrics.ok) return;
        const figures = figuresOf(metrics.text);
        const made = GROUPS.map(([title, names]) => group(title, names.filter((name) => figures.has(name)).map((name) => [name, figures.get(name)])));
        const known = new Set(GROUPS.flatMap(([, names]) => names));
        made.push(group("health.others", [...figures].filter(([name]) => !known.has(name))));
        groups.replaceChildren(...made.filter(Boolean));
    }

    const look = () => document.hidden || attempt(ask, problem.show);
    const timer = setInterval(look, EVERY_MS);
    look();
    let told = null;
    return {
        title: t("health.title"),
        node,
        update() {
            if (told === store.hub || !store.hub) return;
            told = store.hub;
            const { version, broker, caller } = store.hub;
            const role = ["administer", "order", "view"].find(may);
            const lines = [
                ["health.version", version],
                ["health.brokerName", broker ?? t("health.ownBroker")],
                ["health.you", t("health.caller", { name: caller.name, role: t(`role.${role}`) })],
            ];
            facts.replaceChildren(...lines.map(([label, value]) => h("div", {}, h("dt", {}, t(label)), h("dd", {}, value))));
        },
        close: () => clearInterval(timer),
    };
}
