// Changing tags: of one device, and of those that were selected.

import { call, path } from "./hub.js";
import { attempt, dialog, field, formFor, h, problemBox } from "./dom.js";
import { t } from "./i18n.js";

/// Tags as somebody typed them.
export const tagsIn = (text) => [...new Set(text.split(/[\s,，]+/).filter(Boolean))];

function tagField(label, hint, value = "") {
    const made = field(label, h("input", { type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off" }), { hint });
    made.input.value = value;
    return made;
}

/// A dialog with fields; `send` is called with them and throws what is then said. Resolves to what it returned.
function tagDialog(title, fields, send) {
    return dialog(title, (close) => {
        const problem = problemBox();
        const submit = h("button", { type: "submit", class: "primary" }, t("tags.submit"));
        const work = () => attempt(async () => close(await send()), problem.show);
        fields[0].input.setAttribute("autofocus", "");
        return formFor(
            submit,
            work,
            {},
            fields.map(({ node }) => node),
            problem.node,
            h("div", { class: "dialog-foot" }, h("button", { type: "button", on: { click: () => close() } }, t("action.cancel")), submit),
        );
    });
}

/// Gives a device other tags. Resolves to the device, or to nothing.
export function editTags(device) {
    const tags = tagField(t("tags.of"), t("tags.hint"), device.tags.join(" "));
    return tagDialog(t("tags.title", { name: device.device_name }), [tags], () => call("POST", path("devices", device.client_id, "tags"), { tags: tagsIn(tags.input.value) }));
}

/// Gives devices tags, and takes tags from them. Resolves to the hub's answer, or to nothing.
export function changeTags(devices) {
    const add = tagField(t("tags.add"), t("tags.hint"));
    const remove = tagField(t("tags.remove"));
    return tagDialog(t("tags.titleMany", { n: devices.length }), [add, remove], () => {
        const what = { devices, add: tagsIn(add.input.value), remove: tagsIn(remove.input.value) };
        if (what.add.length + what.remove.length === 0) throw new Error(t("tags.none"));
        return call("POST", path("tags"), what);
    });
}
