// Who may use the console, for those who look after it.

import { call, path } from "./hub.js";
import { attempt, dialog, field, formFor, h, problemBox, question } from "./dom.js";
import { radio } from "./devices.js";
import { t } from "./i18n.js";
import { cell, copyable, headCell, row, table, timeCell } from "./parts.js";
import { may, ROLES } from "./roles.js";
import { store } from "./store.js";
import { hubHead } from "./tabs.js";

/// A choice of roles.
function roleSelect(label, chosen) {
    const node = h("select", { "aria-label": label }, ROLES.map((role) => h("option", { value: role }, t(`role.${role}`))));
    node.value = chosen;
    return node;
}

export function usersView(memory) {
    const add = h("button", { type: "button", class: "primary", "data-needs": "administer", on: { click: addUser } }, t("users.add"));
    const problem = problemBox();
    const list = table(t("users.title"), [
        [t("users.name"), "c-name"],
        [t("users.role"), "c-state"],
        [t("users.proof"), "c-text"],
        [t("users.added"), "c-when"],
        ["", "c-actions"],
    ]);
    list.node.classList.add("users");
    const none = h("p", { class: "empty-line" }, t("users.none"));
    const hint = h("dl", { class: "hint roles" }, ROLES.map((role) => h("div", {}, h("dt", {}, t(`role.${role}`)), h("dd", {}, t(`role.${role}Text`)))));
    const content = h("div", { "data-needs": "administer" }, list.node, none, hint);
    const barred = h("p", { class: "empty-line" }, t("users.barred"));
    const node = h("div", {}, hubHead("users", add), problem.node, content, barred);

    function userRow(user) {
        const role = roleSelect(t("users.roleOf", { name: user.name }), user.role);
        role.addEventListener("change", () =>
            attempt(async () => {
                try {
                    await call("POST", path("users", user.name, "role"), { role: role.value });
                } catch (error) {
                    role.value = user.role;
                    throw error;
                }
                user.role = role.value;
                memory.say(t("users.changed", { name: user.name, role: t(`role.${user.role}`) }));
                if (user.name === store.hub?.caller.name) {
                    store.hub = await call("GET", path("hub"));
                    memory.refresh();
                }
            }, problem.show),
        );
        const when = timeCell("when");
        when.set(user.created_at);
        const remove = h("button", { type: "button", class: "small danger", "aria-label": t("users.removeLabel", { name: user.name }) }, t("action.remove"));
        remove.addEventListener("click", () => removeUser(user.name));
        return row(
            headCell("c-name", h("strong", {}, user.name)),
            cell("c-state", role),
            cell("c-text", t(user.has_token ? "users.byToken" : "users.byProxy")),
            cell("c-when", when.node),
            cell("c-actions", remove),
        );
    }

    async function load() {
        const { users } = await call("GET", path("users"));
        list.body.replaceChildren(...users.map(userRow));
        list.node.hidden = users.length === 0;
        none.hidden = users.length > 0;
    }

    async function removeUser(name) {
        const done = await question(t("users.removeTitle", { name }), h("p", {}, t("users.removeText")), {
            yes: t("action.remove"),
            no: t("action.cancel"),
            work: () => call("DELETE", path("users", name)),
        });
        if (!done) return;
        memory.say(t("users.removed", { name }));
        await attempt(load, problem.show);
    }

    async function addUser() {
        const made = await dialog(t("users.add"), addForm);
        if (!made) return;
        await attempt(load, problem.show);
        if (made.token) await showToken(made);
        else memory.say(t("users.addedByProxy", { name: made.user.name }));
    }

    let asked = false;
    return {
        title: t("users.title"),
        node,
        update() {
            barred.hidden = may("administer");
            if (asked || barred.hidden === false) return;
            asked = true;
            attempt(load, problem.show);
        },
    };
}

const MAX_NAME = 128;

function addForm(close) {
    const name = field(t("users.name"), h("input", { type: "text", autofocus: true, autocomplete: "off", spellcheck: "false", autocapitalize: "off" }), { hint: t("users.nameHint") });
    const roles = ROLES.map((role) => radio("role", role, t(`role.${role}`), t(`role.${role}Text`), role === "view"));
    const byToken = radio("proof", "token", t("users.byToken"), t("users.byTokenText"), true);
    const byProxy = radio("proof", "proxy", t("users.byProxy"), t("users.byProxyText"), false);
    const problem = problemBox();
    const submit = h("button", { type: "submit", class: "primary" }, t("users.add"));
    const send = async () => {
        problem.show(null);
        const wanted = name.input.value.trim();
        const good = wanted.length <= MAX_NAME && /^[!-~]+$/.test(wanted);
        name.show(good ? null : t("users.badName", { max: MAX_NAME }));
        if (!good) {
            name.input.focus();
            return;
        }
        const { input } = roles.find((one) => one.input.checked);
        await attempt(async () => close(await call("POST", path("users"), { name: wanted, role: input.value, token: byToken.input.checked })), problem.show);
    };
    return formFor(
        submit,
        send,
        {},
        name.node,
        h("fieldset", { class: "choices" }, h("legend", {}, t("users.role")), roles.map((one) => one.node)),
        h("fieldset", { class: "choices" }, h("legend", {}, t("users.proof")), byToken.node, byProxy.node),
        problem.node,
        h("div", { class: "dialog-foot" }, h("button", { type: "button", on: { click: () => close() } }, t("action.cancel")), submit),
    );
}

/// The token, which the hub does not show again.
function showToken({ user, token }) {
    const build = (close) => {
        let copied = false;
        const problem = problemBox();
        const leave = () => {
            if (copied) return close();
            problem.show(t("users.notCopied"));
            // Whoever has written it down by hand presses once more.
            copied = true;
        };
        const content = h(
            "div",
            {},
            h("p", { class: "warning" }, t("once.warning")),
            h("div", { class: "field" }, h("span", { class: "label" }, t("login.token")), copyable(token, "secret", () => (copied = true))),
            problem.node,
            h("div", { class: "dialog-foot" }, h("button", { type: "button", on: { click: leave } }, t("once.done"))),
        );
        content.addEventListener("keydown", (event) => event.key === "Escape" && leave());
        return content;
    };
    return dialog(t("users.ready", { name: user.name }), build, { steady: true });
}
