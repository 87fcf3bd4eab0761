// Small helpers around the DOM. Text always goes in as text: what a device says is never read as markup.

/// An element. `props`: `class`, `on` (listeners), anything else is an attribute; `true` gives an empty one, and what is
/// `false`, `null` or `undefined` is left out. Children: nodes, texts, lists of them; nothing for what is not there.
export function h(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props ?? {})) {
        if (value === undefined || value === null || value === false) continue;
        if (name === "class") node.className = value;
        else if (name === "on") {
            for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
        } else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...flat(children));
    return node;
}

function flat(children) {
    return children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false);
}

/// Sets a text where it differs: a text that stays costs no layout.
export function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

export function setClass(node, name) {
    if (node.className !== name) node.className = name;
}

let ids = 0;
/// An id for an element that another one has to point at.
export function freshId(prefix = "id") {
    ids += 1;
    return `${prefix}-${ids}`;
}

/// Rows of a list, each with a key. An item that is the same object as before costs nothing.
export class Rows {
    /// `create(item)` returns `{node, update(item)}`; it is updated right after.
    constructor(parent, create) {
        this.parent = parent;
        this.create = create;
        this.rows = new Map();
    }

    set(items, keyOf) {
        const stale = new Set(this.rows.keys());
        let place = this.parent.firstChild;
        for (const item of items) {
            const key = keyOf(item);
            stale.delete(key);
            let row = this.rows.get(key);
            if (!row) {
                row = this.create(item);
                this.rows.set(key, row);
            }
            if (row.item !== item) {
                row.item = item;
                row.update(item);
            }
            if (row.node === place) place = place.nextSibling;
            else this.parent.insertBefore(row.node, place);
        }
        for (const key of stale) {
            this.rows.get(key).node.remove();
            this.rows.delete(key);
        }
    }

    /// Has every row written again, as after a change of something that the items do not hold.
    forget() {
        for (const row of this.rows.values()) row.item = undefined;
    }
}

/// A labelled control with a place for a hint and for what is wrong with it.
export function field(label, input, { hint, wide } = {}) {
    input.id ||= freshId("field");
    const error = h("p", { class: "field-error", id: freshId("error"), hidden: true });
    const note = hint && h("p", { class: "hint", id: freshId("hint") }, hint);
    const describe = () => {
        const by = [note?.id, error.hidden ? null : error.id].filter(Boolean).join(" ");
        if (by) input.setAttribute("aria-describedby", by);
        else input.removeAttribute("aria-describedby");
    };
    describe();
    const node = h("div", { class: wide ? "field wide" : "field" }, h("label", { for: input.id }, label), input, note, error);
    const show = (text) => {
        error.hidden = !text;
        setText(error, text ?? "");
        if (text) input.setAttribute("aria-invalid", "true");
        else input.removeAttribute("aria-invalid");
        describe();
    };
    input.addEventListener("input", () => show(null));
    return { node, input, show };
}

/// A place near an action where its problem is shown and read out.
export function problemBox() {
    const node = h("p", { class: "problem", role: "alert", hidden: true });
    return {
        node,
        show(text) {
            node.hidden = !text;
            setText(node, text ?? "");
        },
    };
}

/// Keeps a button from being pressed twice while its work runs.
export async function busy(button, work) {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
        await work();
    } finally {
        button.removeAttribute("aria-disabled");
    }
}

/// Does `work` and hands what goes wrong with it to `tell`, in words; null before, so that an earlier problem goes.
export async function attempt(work, tell) {
    tell(null);
    try {
        await work();
    } catch (error) {
        tell(error.message);
    }
}

/// Does so whenever the button is pressed.
export function onPress(button, work, tell) {
    button.addEventListener("click", () => busy(button, () => attempt(work, tell)));
}

/// A form whose `button` does `work`, once at a time.
export function formFor(button, work, props, ...content) {
    const submit = (event) => {
        event.preventDefault();
        busy(button, work);
    };
    return h("form", { novalidate: true, ...props, on: { submit } }, content);
}

/// A modal dialog. `build(close)` returns its content; the promise gets what `close` was called with.
export function dialog(title, build, { steady } = {}) {
    return new Promise((resolve) => {
        const heading = h("h2", { id: freshId("dialog"), tabindex: "-1" }, title);
        const node = h("dialog", { "aria-labelledby": heading.id });
        let result;
        const close = (value) => {
            result = value;
            node.close();
        };
        node.append(heading, ...flat([build(close)]));
        if (steady) node.addEventListener("cancel", (event) => event.preventDefault());
        node.addEventListener("close", () => {
            node.remove();
            resolve(result);
        });
        document.body.append(node);
        node.showModal();
        (node.querySelector("[autofocus]") ?? heading).focus();
    });
}

/// Asks before something is done: `work` follows a yes, and what goes wrong with it is told there. Resolves to `{ answer }`
/// with what `work` returned, or to nothing. The button that does no harm has the focus unless `ready` says otherwise.
export function question(title, content, { yes, no, work, danger = true, ready = false }) {
    return dialog(title, (close) => {
        const problem = problemBox();
        const confirm = h("button", { type: "button", class: danger ? "danger primary" : "primary", autofocus: ready }, yes);
        confirm.addEventListener("click", () =>
            busy(confirm, async () => {
                try {
                    close({ answer: await work() });
                } catch (error) {
                    problem.show(error.message);
                }
            }),
        );
        const keep = h("button", { type: "button", autofocus: !ready, on: { click: () => close() } }, no);
        return [content, problem.node, h("div", { class: "dialog-foot" }, keep, confirm)];
    });
}

/// Hands a text to the user as a file.
export function download(name, text, type = "text/plain") {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = h("a", { href: address, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/// Copies a text; where the page may not (plain http from another machine), the old way.
export async function copy(text) {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        const area = h("textarea", { class: "off-screen", "aria-hidden": "true" });
        area.value = text;
        // Inside an open dialog nothing outside of it can be selected.
        const host = document.querySelector("dialog[open]") ?? document.body;
        const before = document.activeElement;
        host.append(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        before?.focus();
        return done;
    }
}
