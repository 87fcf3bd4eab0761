// The page's frame: what is shown, the hub's events, the language, who is there.

import { auditView } from "./audit.js";
import { call, whenUnauthorized } from "./hub.js";
import { busy, field, formFor, h, problemBox, setText } from "./dom.js";
import { deviceView, devicesView } from "./devices.js";
import { firmwareView } from "./firmware.js";
import { healthView } from "./health.js";
import { language, LANGUAGES, setLanguage, t } from "./i18n.js";
import { orderView } from "./order.js";
import { nameOf, reasonOf } from "./parts.js";
import { productsView } from "./products.js";
import { showControls } from "./roles.js";
import { changed, reload, store, take, watchStore } from "./store.js";
import { upgradesView, upgradeView } from "./upgrades.js";
import { usersView } from "./users.js";

const main = h("main", { id: "main", tabindex: "-1" });
const banner = h("div", { class: "banner", role: "status" });
const toast = h("div", { class: "toast", role: "status" });
const announcer = h("div", { class: "off-screen", role: "log", "aria-live": "polite" });

// ---- Frame ----

const live = h("span", { class: "live-mark", hidden: true });

function frame() {
    document.querySelector("header")?.remove();
    document.querySelector(".skip")?.remove();
    const skip = h("a", { class: "skip", href: "#main" }, t("app.skip"));
    skip.addEventListener("click", (event) => {
        event.preventDefault();
        main.focus();
    });
    const links = ["upgrades", "devices", "firmware", "products", "hub"].map((name) => h("a", { href: `#/${name}` }, t(`nav.${name}`)));
    const other = language() === "en" ? "zh" : "en";
    const change = h("button", { type: "button", class: "language", lang: LANGUAGES[other].tag }, LANGUAGES[other].name);
    change.addEventListener("click", () => {
        setLanguage(other);
        frame();
        sayLink();
        if (login) askToken();
        else mount(memory);
        document.querySelector(".language").focus();
    });
    setText(live, t("link.live"));
    const leave = h("button", { type: "button", class: "language sign-out" }, t("app.logout"));
    leave.addEventListener("click", () => busy(leave, signOut));
    leave.hidden = !signedIn();
    const header = h(
        "header",
        {},
        h("a", { class: "brand", href: "#/upgrades" }, h("img", { src: "icon.svg", alt: "", width: "24", height: "24" }), h("span", {}, t("app.name"))),
        h("nav", { "aria-label": t("app.nav") }, links),
        h("div", { class: "header-end" }, live, leave, change),
    );
    document.body.prepend(skip, header);
    mark();
}

function mark() {
    const here = location.hash.split("/")[1]?.split("?")[0];
    for (const link of document.querySelectorAll("nav a")) {
        if (link.getAttribute("href") === `#/${here}`) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
}

let toastEnds;
function say(text) {
    setText(toast, text);
    toast.classList.add("shown");
    clearTimeout(toastEnds);
    toastEnds = setTimeout(() => {
        toast.classList.remove("shown");
        setText(toast, "");
    }, 6000);
}

// ---- Which view ----

let view = null;
let memory = {};
let login = null;

function viewFor(hash) {
    const [route, query] = hash.replace(/^#\/?/, "").split("?");
    const [name, argument] = route.split("/").map(decodeURIComponent);
    if (name === "upgrades" && argument === "new") return orderView(memory, new URLSearchParams(query));
    if (name === "upgrades" && argument) return upgradeView(memory, Number(argument));
    if (name === "upgrades") return upgradesView(memory);
    if (name === "devices" && argument) return deviceView(memory, argument);
    if (name === "devices") return devicesView(memory);
    if (name === "firmware") return firmwareView(memory);
    if (name === "products") return productsView(memory);
    if (name === "hub" && argument === "users") return usersView(memory);
    if (name === "hub" && argument === "audit") return auditView();
    if (name === "hub" && !argument) return healthView();
    return { title: t("app.notFound"), node: h("div", {}, h("h1", { tabindex: "-1" }, t("app.notFound"))), update() {} };
}

/// Shows what the address says. `kept` is what a view remembers over a change of language.
function mount(kept) {
    view?.close?.();
    view = null;
    memory = kept;
    memory.say = say;
    memory.refresh = changed;
    memory.announce = readOut;
    if (!store.loaded) {
        main.replaceChildren(h("p", { class: "quiet loading" }, t("app.loading")));
        return;
    }
    showControls();
    try {
        view = viewFor(location.hash);
    } catch {
        // Such as a stray percent sign in the address.
        location.hash = "#/upgrades";
        return;
    }
    document.title = `${view.title} – ${t("app.name")}`;
    main.replaceChildren(view.node);
    view.update();
    mark();
}

window.addEventListener("hashchange", () => {
    if (login) return;
    mount({});
    scrollTo(0, 0);
    main.querySelector("h1")?.focus();
});

// ---- Results, read out ----

const AT_ONCE_MS = 2000;
let results = [];
function result(job) {
    if (results.length === 0) setTimeout(announce, AT_ONCE_MS);
    results.push(job);
}

/// For those who do not see it.
function readOut(text) {
    announcer.replaceChildren(h("p", {}, text));
}

/// Of the device or the order that is looked at, the product is known.
const shownName = (clientId) =>
    nameOf(clientId, store.devices.get(clientId)?.product_id ?? store.device?.product_id ?? store.upgrade?.firmware.product_id);

function announce() {
    const [first] = results;
    let text;
    if (results.length === 1 && first.state !== "cancelled") {
        text = t(`say.${first.state}`, { name: shownName(first.client_id), version: first.version, reason: reasonOf(first) });
    } else {
        const count = (state) => results.filter((job) => job.state === state).length;
        text = t("say.many", { done: count("done"), failed: count("failed"), cancelled: count("cancelled") });
    }
    readOut(text);
    results = [];
}

watchStore(() => {
    if (login) return;
    showControls();
    if (view) view.update();
    else if (store.loaded) mount(memory);
}, result, (problem) => {
    // Who is there is asked for elsewhere.
    if (problem.status !== 401 && link !== "lost") say(problem.message);
});

// ---- Events ----

const AGAIN_MS = 2000;
let source = null;
let link = "new";
let again;
let backEnds;

function sayLink() {
    live.hidden = link !== "live" && link !== "back";
    banner.className = `banner ${link}`;
    setText(banner, link === "lost" ? t("link.lost") : link === "back" ? t("link.back") : "");
}

function setLink(now) {
    link = now;
    clearTimeout(backEnds);
    if (now === "back") backEnds = setTimeout(() => setLink("live"), 4000);
    sayLink();
}

const EVENTS = ["firmware", "firmware_removed", "device", "device_removed", "upgrade", "job"];

function listen() {
    source?.close();
    clearTimeout(again);
    if (document.hidden) return;
    source = new EventSource("api/events");
    for (const name of EVENTS) source.addEventListener(name, (event) => take(JSON.parse(event.data)));
    source.addEventListener("reset", () => refresh());
    source.addEventListener("open", () => setLink(link === "lost" ? "back" : "live"));
    source.addEventListener("error", () => {
        if (link !== "new") setLink("lost");
        // The browser tries again by itself where the connection broke, but not after an answer that is no stream.
        if (source.readyState === EventSource.CLOSED) again = setTimeout(probe, AGAIN_MS);
    });
}

/// Whether the hub is there and lets us in; then its events are worth another try.
async function probe() {
    if (login || document.hidden) return;
    try {
        await call("GET", "api/hub");
        listen();
    } catch (error) {
        if (error.status === 401) return;
        if (link === "new") firstFailed(error);
        else setLink("lost");
        again = setTimeout(probe, AGAIN_MS);
    }
}

/// A browser makes six connections to a hub, for all tabs together: one that nobody looks at must not keep any.
function look() {
    if (login) return;
    source?.close();
    clearTimeout(again);
    probe();
}

async function refresh() {
    try {
        await reload();
    } catch (error) {
        if (error.status !== 401 && !store.loaded) firstFailed(error);
    }
}

function firstFailed(error) {
    main.replaceChildren(
        h("section", { class: "empty" }, h("p", { role: "alert" }, error.message), h("p", {}, h("button", { type: "button", on: { click: () => location.reload() } }, t("action.retry")))),
    );
}

// ---- Who is there ----

// The cookie itself is out of the page's reach; a hub without a token has nobody to sign out.
const SIGNED_IN = "hub.signed-in";
function signedIn(now) {
    try {
        if (now === true) localStorage.setItem(SIGNED_IN, location.host);
        if (now === false) localStorage.removeItem(SIGNED_IN);
        return localStorage.getItem(SIGNED_IN) === location.host;
    } catch {
        return now === true;
    }
}

async function signOut() {
    try {
        await call("DELETE", "api/session");
    } catch (error) {
        say(error.message);
        return;
    }
    askToken();
}

function askToken() {
    login = true;
    signedIn(false);
    store.loaded = false;
    source?.close();
    clearTimeout(again);
    for (const open of document.querySelectorAll("dialog")) open.close();
    view?.close?.();
    view = null;
    document.title = `${t("login.title")} – ${t("app.name")}`;
    document.body.classList.add("signed-out");
    const token = field(t("login.token"), h("input", { type: "password", autocomplete: "current-password" }), { hint: t("login.hint") });
    const problem = problemBox();
    const submit = h("button", { type: "submit", class: "primary" }, t("login.submit"));
    const send = async () => {
        problem.show(null);
        const value = token.input.value.trim();
        if (!value) {
            token.show(t("login.missing"));
            token.input.focus();
            return;
        }
        try {
            await call("POST", "api/session", { token: value });
        } catch (error) {
            if (error.status === 401) {
                token.show(t("login.wrong"));
                token.input.select();
            } else problem.show(error.message);
            return;
        }
        login = null;
        signedIn(true);
        frame();
        document.body.classList.remove("signed-out");
        link = "new";
        store.loaded = false;
        mount({});
        listen();
    };
    const form = formFor(
        submit,
        send,
        { class: "login panel" },
        h("h1", {}, t("login.title")),
        h("p", { class: "quiet" }, t("login.text")),
        token.node,
        problem.node,
        h("div", { class: "form-foot" }, submit),
    );
    main.replaceChildren(form);
    token.input.focus();
}

whenUnauthorized(() => {
    if (!login) askToken();
});

if (!location.hash) history.replaceState(null, "", "#/upgrades");
document.body.append(banner, main, toast, announcer);
frame();
mount({});
document.addEventListener("visibilitychange", look);
look();
