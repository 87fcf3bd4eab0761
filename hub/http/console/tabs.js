// The pages about the hub itself, each with links to the others.

import { h } from "./dom.js";
import { t } from "./i18n.js";

const PAGES = [["health", "#/hub"], ["users", "#/hub/users", "administer"], ["audit", "#/hub/audit", "administer"]];

/// The head of one of them, with `actions` beside its title.
export function hubHead(shown, ...actions) {
    const links = PAGES.map(([name, href, needs]) =>
        h("a", { class: "filter", href, "data-needs": needs, "aria-current": name === shown && "page" }, t(`${name}.title`)),
    );
    return [
        h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, t(`${shown}.title`)), h("div", { class: "actions" }, actions)),
        h("div", { class: "filters tabs", role: "navigation", "aria-label": t("nav.hub") }, links),
    ];
}
