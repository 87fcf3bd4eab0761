// The firmware on offer, and how one gets there.

import { call, path, upload, withQuery } from "./hub.js";
import { copy, field, formFor, freshId, h, problemBox, question, Rows, setText } from "./dom.js";
import { exactSize, fullTime, size, t } from "./i18n.js";
import { cell, headCell, later, moreButton, row, table, timeCell } from "./parts.js";
import { productField } from "./devices.js";
import { changed, openFirmware, putFirmware, store } from "./store.js";

const MAX_VERSION = 32;

/// A version that a file's name seems to say: `app-1.2.3.bin`.
function versionIn(name) {
    return /(?:^|[^0-9])(\d+\.\d+(?:\.\d+)*(?:-[0-9A-Za-z]+)?)(?=[^0-9]|$)/.exec(name.replace(/\.[A-Za-z]\w*$/, ""))?.[1] ?? "";
}

function firmwareRow(remove) {
    const version = h("strong");
    const name = h("span", { class: "label" });
    const product = h("span");
    const bytes = h("span");
    const sum = h("code", { class: "md5" });
    const copySum = h("button", { type: "button", class: "small" }, t("action.copy"));
    const signer = h("code", { class: "md5" });
    const added = timeCell("when");
    const order = h("a", { class: "button small", "data-needs": "order" }, t("firmware.order"));
    const drop = h("button", { type: "button", class: "small danger", "data-needs": "order" }, t("firmware.remove"));
    let item;
    drop.addEventListener("click", () => remove(item));
    copySum.addEventListener("click", async () => {
        if (await copy(item.md5)) setText(copySum, t("action.copied"));
    });
    const node = row(
        headCell("c-name", version, name),
        cell("c-product", product),
        cell("c-size", bytes),
        cell("c-md5", sum, copySum, signer),
        cell("c-when", added.node),
        cell("c-actions", order, drop),
    );
    return {
        node,
        update(firmware) {
            item = firmware;
            setText(version, firmware.version);
            setText(name, firmware.name);
            setText(product, firmware.product_id);
            setText(bytes, size(firmware.size));
            bytes.title = exactSize(firmware.size);
            setText(sum, firmware.md5);
            copySum.setAttribute("aria-label", t("firmware.copyMd5", { md5: firmware.md5 }));
            const { signature } = firmware;
            setText(signer, signature ? t("firmware.signedBy", { key: signature.key_id }) : "");
            signer.title = signature ? t("firmware.signedAt", { time: fullTime(signature.signed_at) }) : "";
            added.set(firmware.created_at);
            order.href = `#/upgrades/new?firmware=${firmware.id}`;
            order.setAttribute("aria-label", t("firmware.orderLabel", { version: firmware.version }));
            drop.setAttribute("aria-label", t("firmware.removeLabel", { version: firmware.version }));
        },
    };
}

export function firmwareView(memory) {
    const picker = h("input", { type: "file", class: "off-screen", id: freshId("file"), "aria-label": t("firmware.choose"), tabindex: "-1" });
    const choose = h("button", { type: "button", class: "primary", on: { click: () => picker.click() } }, t("firmware.choose"));
    const problem = problemBox();
    const limit = h("p", { class: "quiet" });
    const zone = h(
        "div",
        { class: "drop", "data-needs": "order" },
        h("p", { class: "drop-title" }, t("firmware.drop")),
        h("p", { class: "quiet" }, t("firmware.or")),
        choose,
        picker,
        limit,
    );
    const form = h("div");
    const stored = h("p", { class: "success", role: "status" });
    const list = table(t("firmware.table"), [
        [t("firmware.version"), "c-name"],
        [t("device.product"), "c-product"],
        [t("firmware.size"), "c-size"],
        [t("firmware.md5"), "c-md5"],
        [t("firmware.added"), "c-when"],
        ["", "c-actions"],
    ]);
    list.node.classList.add("firmware");
    const rows = new Rows(list.body, () => firmwareRow(remove));
    memory.search ??= "";
    const ask = () => openFirmware(memory.search.trim());
    const searched = later(ask);
    const search = h("input", { type: "search", "aria-label": t("firmware.search"), placeholder: t("firmware.search"), autocomplete: "off" });
    search.value = memory.search;
    search.addEventListener("input", () => {
        memory.search = search.value;
        searched();
    });
    const toolbar = h("div", { class: "toolbar" }, search);
    const more = moreButton(store.firmware, memory.say);
    const none = h("p", { class: "empty-line" });
    const node = h("div", {}, h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, t("firmware.title"))), zone, form, problem.node, stored, toolbar, list.node, more.node, none);
    let sending = null;

    const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    node.addEventListener("dragover", (event) => {
        event.preventDefault();
        if (holdsFile(event)) zone.classList.add("over");
    });
    node.addEventListener("dragleave", (event) => {
        if (!node.contains(event.relatedTarget)) zone.classList.remove("over");
    });
    node.addEventListener("drop", (event) => {
        event.preventDefault();
        zone.classList.remove("over");
        if (sending) return;
        const files = [...(event.dataTransfer?.files ?? [])];
        if (files.length === 0) problem.show(t("firmware.notFile"));
        else if (files.length > 1) problem.show(t("firmware.one"));
        else take(files[0]);
    });
    picker.addEventListener("change", () => {
        if (picker.files.length > 0) take(picker.files[0]);
        picker.value = "";
    });

    function take(file) {
        problem.show(null);
        setText(stored, "");
        const max = store.hub?.max_upload;
        if (file.size === 0) problem.show(t("firmware.empty", { name: file.name }));
        else if (max && file.size > max) problem.show(t("firmware.large", { name: file.name, size: exactSize(file.size), max: exactSize(max) }));
        else describe(file);
    }

    function reset() {
        form.replaceChildren();
        zone.hidden = false;
    }

    function describe(file) {
        zone.hidden = true;
        const text = { type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off" };
        const product = productField(t("firmware.product"));
        const version = field(t("firmware.version"), h("input", text), { hint: t("firmware.versionHint") });
        version.input.value = versionIn(file.name);
        const name = field(t("firmware.name"), h("input", { ...text, maxlength: "100" }), { hint: t("firmware.nameHint") });
        const submit = h("button", { type: "submit", class: "primary" }, t("firmware.upload"));
        const cancel = h("button", { type: "button" }, t("action.cancel"));
        const wrong = problemBox();
        const progress = h("progress", { max: "1", value: "0", "aria-label": t("firmware.uploading", { name: file.name }) });
        const figure = h("span", { class: "quiet" });
        const bar = h("div", { class: "bar upload", hidden: true }, progress, figure);
        cancel.addEventListener("click", () => {
            if (sending) sending.abort();
            else {
                reset();
                choose.focus();
            }
        });
        const send = async () => {
            wrong.show(null);
            const what = { product_id: product.input.value.trim(), version: version.input.value.trim(), name: name.input.value.trim() };
            const known = await isThere(what);
            product.show(what.product_id ? null : t("firmware.missingProduct"));
            if (!what.version) version.show(t("firmware.missingVersion"));
            else if (what.version.length > MAX_VERSION) version.show(t("firmware.longVersion"));
            else version.show(known ? t("firmware.exists", { product: what.product_id, version: what.version }) : null);
            const bad = [product, version].find(({ input }) => input.getAttribute("aria-invalid"));
            if (bad) {
                bad.input.focus();
                return;
            }
            sending = new AbortController();
            const inputs = [product.input, version.input, name.input];
            for (const input of inputs) input.readOnly = true;
            submit.hidden = true;
            bar.hidden = false;
            setText(cancel, t("firmware.stop"));
            try {
                const told = (sent, total) => {
                    progress.value = total ? sent / total : 0;
                    setText(figure, t("firmware.sent", { sent: size(sent), total: size(total) }));
                };
                told(0, file.size);
                const firmware = await upload(what, file, told, sending.signal);
                putFirmware(firmware);
                changed();
                reset();
                setText(stored, t("firmware.stored", { name: firmware.product_id, version: firmware.version, md5: firmware.md5 }));
                choose.focus();
            } catch (error) {
                wrong.show(error.message);
                submit.hidden = false;
                bar.hidden = true;
                for (const input of inputs) input.readOnly = false;
                setText(cancel, t("action.cancel"));
            } finally {
                sending = null;
            }
        };
        form.replaceChildren(
            formFor(
                submit,
                send,
                { class: "panel upload-form", "aria-label": t("firmware.upload") },
                h("p", { class: "file" }, h("strong", {}, file.name), h("span", { class: "quiet" }, size(file.size))),
                h("div", { class: "fields" }, product.node, version.node, name.node),
                bar,
                wrong.node,
                h("div", { class: "form-foot" }, cancel, submit),
            ),
        );
        (product.input.value ? version : product).input.focus();
    }

    /// Whether there is such a firmware already. Where that cannot be told now, the hub says so of the upload.
    async function isThere({ product_id: product, version }) {
        if (!product || !version) return false;
        const found = await call("GET", withQuery("api/firmware", { product, version, limit: 1 })).catch(() => null);
        return found !== null && found.firmware.length > 0;
    }

    async function remove(firmware) {
        const { version, product_id: product } = firmware;
        const done = await question(t("firmware.removeTitle", { version, product }), h("p", {}, t("firmware.removeText")), {
            yes: t("action.remove"),
            no: t("action.cancel"),
            work: async () => {
                await call("DELETE", path("firmware", firmware.id));
                store.firmware.remove(firmware.id);
            },
        });
        if (done) {
            memory.say(t("firmware.removed", { version }));
            changed();
            choose.focus();
        }
    }

    function close() {
        store.firmware.close();
        if (!sending) return;
        sending.abort();
        memory.say(t("error.aborted"));
    }

    function update() {
        const shown = store.firmware.entries();
        rows.set(shown, (firmware) => firmware.id);
        more.update();
        list.node.hidden = shown.length === 0;
        toolbar.hidden = !store.anyFirmware;
        none.hidden = shown.length > 0 || !store.firmware.loaded;
        setText(none, store.anyFirmware ? t("firmware.noMatch") : t("firmware.noneYet"));
        setText(limit, store.hub ? t("firmware.limit", { size: size(store.hub.max_upload) }) : "");
    }
    ask();
    return { title: t("firmware.title"), node, update, close };
}
