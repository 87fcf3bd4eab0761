// The audit log: what was changed, by whom, and what came of it.

import { call, path } from "./hub.js";
import { attempt, h, onPress, problemBox } from "./dom.js";
import { t } from "./i18n.js";
import { cell, headCell, row, table, timeCell } from "./parts.js";
import { may } from "./roles.js";
import { hubHead } from "./tabs.js";

const ENTRIES = 50;

/// What came of a request, as a word with a mark: the state of a job that went as well.
function outcome(status) {
    const [word, state] = status < 300 ? ["audit.done", "done"] : [401, 403].includes(status) ? ["audit.barred", "cancelled"] : ["audit.failed", "failed"];
    return h("span", { class: `tag ${state}`, title: String(status) }, t(word));
}

function entryRow(entry) {
    const when = timeCell("when");
    when.set(entry.at);
    return row(
        cell("c-when", when.node),
        headCell("c-name", h("strong", {}, entry.name)),
        cell("c-text", h("code", {}, entry.request), entry.detail && h("span", { class: "quiet" }, entry.detail)),
        cell("c-state", outcome(entry.status)),
    );
}

export function auditView() {
    const search = h("input", { type: "search", "aria-label": t("audit.search"), placeholder: t("audit.search"), autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
    const filter = h("form", { class: "toolbar", role: "search" }, search, h("button", { type: "submit" }, t("audit.filter")));
    const problem = problemBox();
    const list = table(t("audit.title"), [[t("audit.when"), "c-when"], [t("audit.name"), "c-name"], [t("audit.request"), "c-text"], [t("audit.outcome"), "c-state"]]);
    list.node.classList.add("audit");
    const none = h("p", { class: "empty-line", hidden: true }, t("audit.none"));
    const more = h("button", { type: "button", hidden: true }, t("audit.more"));
    const content = h("div", { "data-needs": "administer" }, filter, list.node, none, h("p", { class: "more" }, more), h("p", { class: "hint" }, t("audit.hint")));
    const barred = h("p", { class: "empty-line" }, t("users.barred"));
    const node = h("div", {}, hubHead("audit"), problem.node, content, barred);
    let name = "";
    let last = null;

    /// The next entries; from the newest one on where `last` is null.
    async function load() {
        const wanted = new URLSearchParams({ limit: ENTRIES, ...(name && { name }), ...(last !== null && { before: last }) });
        const { entries } = await call("GET", `${path("audit")}?${wanted}`);
        const rows = entries.map(entryRow);
        if (last === null) list.body.replaceChildren(...rows);
        else list.body.append(...rows);
        last = entries.at(-1)?.id ?? last;
        more.hidden = entries.length < ENTRIES;
        list.node.hidden = list.body.childElementCount === 0;
        none.hidden = !list.node.hidden;
    }

    const begin = () => {
        name = search.value.trim();
        last = null;
        return attempt(load, problem.show);
    };
    filter.addEventListener("submit", (event) => {
        event.preventDefault();
        begin();
    });
    // What clears the field shows all again.
    search.addEventListener("search", begin);
    onPress(more, load, problem.show);
    let asked = false;
    return {
        title: t("audit.title"),
        node,
        update() {
            barred.hidden = may("administer");
            if (asked || !barred.hidden) return;
            asked = true;
            begin();
        },
    };
}
