// The way to a device's SSH server.

import { call, path } from "./hub.js";
import { attempt, busy, h, problemBox, setText } from "./dom.js";
import { t } from "./i18n.js";
import { copyable } from "./parts.js";
import { part } from "./services.js";

/// The part of a device's page.
export function tunnelPart(clientId) {
    const state = h("p", { role: "status" });
    const line = h("div", {});
    const problem = problemBox();
    const begin = h("button", { type: "button", class: "primary" }, t("tunnel.open"));
    const end = h("button", { type: "button", class: "danger" }, t("tunnel.close"));
    const show = ({ state: now, tunnel }) => {
        setText(state, t(`tunnel.${now}`));
        line.replaceChildren(...(tunnel ? [copyable(`ssh -p ${tunnel.port} ${tunnel.host}`, "command")] : []));
        begin.hidden = now === "up";
        end.hidden = now === "none";
    };
    const load = async () => show(await call("GET", path("devices", clientId, "ssh")));
    const change = (button, work) =>
        button.addEventListener("click", () =>
            busy(button, () =>
                attempt(async () => {
                    try {
                        await work();
                    } finally {
                        await load();
                    }
                }, problem.show),
            ),
        );
    change(begin, async () => {
        show({ state: "asked", tunnel: null });
        await call("POST", path("devices", clientId, "ssh"), {});
    });
    change(end, () => call("DELETE", path("devices", clientId, "ssh")));
    return part(
        t("tunnel.title"),
        [h("p", { class: "hint" }, t("tunnel.hint")), state, line, problem.node, h("div", { class: "form-foot", "data-needs": "administer" }, end, begin)],
        load,
    );
}
