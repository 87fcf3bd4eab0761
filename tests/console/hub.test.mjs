// What the console shows of the hub itself: how it is, who uses it, what was done; what each role finds; and a device's tunnel.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { after, test } from "node:test";

import { Hub } from "./hub.mjs";
import { Device } from "./mqtt.mjs";
import { button, close, contrasts, DESKTOP, fits, labelled, link, open, PHONE, picture, say } from "./page.mjs";
import { makeTunnel } from "./tunnel.mjs";

after(close);

const PRODUCT = "DEMOPRODUC";
const TOKEN = "a-token-of-sixteen-or-more";
const shown = (locator) => locator.waitFor({ state: "visible" });
const gone = (locator) => locator.waitFor({ state: "hidden" });

/// Good to look at, wide and narrow.
async function looks(page, name) {
    await contrasts(page);
    await page.setViewportSize(PHONE);
    await fits(page);
    await picture(page, `${name}-phone`);
    await page.setViewportSize(DESKTOP);
    await fits(page);
    await picture(page, name);
}

async function signIn(page, token) {
    await (await labelled(page, "login.token")).fill(token);
    await (await button(page, "login.submit")).click();
    await shown(page.getByRole("heading", { level: 1 }));
    await gone(page.locator(".login"));
}

for (const [language, scheme] of [["en", "light"], ["zh", "dark"]]) {
    test(`users and what they did, ${language}`, async (context) => {
        const hub = await Hub.start(context, { token: TOKEN });
        const page = await open(context, `${hub.url}/#/hub/users`, { language, scheme });
        await signIn(page, TOKEN);
        await shown(page.getByText(await say(page, "users.none")));

        // A user is added; the token is shown once.
        await (await button(page, "users.add")).click();
        const dialog = page.getByRole("dialog");
        await (await labelled(page, "users.name")).fill("two words");
        await dialog.locator("[type=submit]").click();
        await shown(dialog.getByText(await say(page, "users.badName", { max: 128 })));
        await (await labelled(page, "users.name")).fill("alice@example.com");
        await dialog.locator("[type=submit]").click();
        const token = await dialog.locator(".secret code").textContent();
        assert.match(token, /^[0-9a-f]{64}$/);
        await picture(page, `${language}-user-token`);
        await (await button(page, "once.done")).click();
        await shown(dialog.getByText(await say(page, "users.notCopied")));
        await (await button(page, "once.done")).click();
        await dialog.waitFor({ state: "detached" });
        // And one who comes in by a proxy.
        await (await button(page, "users.add")).click();
        await (await labelled(page, "users.name")).fill("bob");
        await page.locator("[name=role][value=order]").check();
        await page.locator("[name=proof][value=proxy]").check();
        await dialog.locator("[type=submit]").click();
        const bob = page.getByRole("row").filter({ hasText: "bob" });
        await shown(bob.getByText(await say(page, "users.byProxy")));
        await looks(page, `${language}-users`);

        // Her role is another one, and what she may find.
        const hers = await labelled(page, "users.roleOf", { name: "alice@example.com" });
        assert.equal(await hers.inputValue(), "view");
        await hers.selectOption("order");
        await shown(page.locator(".toast").getByText(await say(page, "users.changed", { name: "alice@example.com", role: await say(page, "role.order") })));
        const other = await open(context, `${hub.url}/#/hub/users`, { language });
        await signIn(other, token);
        await shown(other.getByText(await say(other, "users.barred")));
        await gone(await button(other, "users.add"));
        await gone(await link(other, "audit.title"));
        await other.goto(`${hub.url}/#/hub`);
        await shown(other.getByText(await say(other, "health.caller", { name: "alice@example.com", role: await say(other, "role.order") })));

        await (await button(page, "users.removeLabel", { name: "bob" })).click();
        await (await button(page, "action.remove")).click();
        await bob.waitFor({ state: "detached" });

        // What was done stands in the log, newest first, page by page.
        for (let count = 0; count < 60; count += 1) {
            await page.evaluate(() => fetch("api/broadcasts", { method: "POST", body: "{}", headers: { "content-type": "application/json" } }));
        }
        await other.evaluate(() => fetch("api/users", { method: "POST", body: "{}", headers: { "content-type": "application/json" } }));
        await (await link(page, "audit.title")).click();
        const rows = page.locator(".audit tbody tr");
        await shown(rows.first().getByText(await say(page, "audit.barred")));
        assert.equal(await rows.count(), 50);
        assert.ok((await rows.first().textContent()).includes("alice@example.com"));
        await (await button(page, "audit.more")).click();
        await shown(rows.getByText("bob may order"));
        await gone(await button(page, "audit.more"));
        assert.match(await rows.last().textContent(), /alice@example\.com may view/);
        await looks(page, `${language}-audit`);
        await (await labelled(page, "audit.search")).fill("alice@example.com");
        await (await button(page, "audit.filter")).click();
        await page.waitForFunction(() => document.querySelectorAll(".audit tbody tr").length === 1);
        await (await labelled(page, "audit.search")).fill("nobody");
        await page.keyboard.press("Enter");
        await shown(page.getByText(await say(page, "audit.none")));
    });

    test(`how the hub is, ${language}`, async (context) => {
        const hub = await Hub.start(context);
        await hub.addDevice(PRODUCT, "dev1");
        await new Device(PRODUCT, "dev1", "1.0.0", () => {}).start(context, hub.ready.mqtt);
        const page = await open(context, hub.url, { language, scheme });
        await (await link(page, "nav.hub")).click();
        await shown(page.getByText(await say(page, "health.good")));
        const figure = async (name) => page.locator("dl div").filter({ has: page.getByText(await say(page, `figure.${name}`), { exact: true }) }).locator("dd");
        assert.equal(await (await figure("hub_devices_online")).textContent(), "1");
        assert.equal(await (await figure("hub_reports_total.version")).textContent(), "1");
        // Everything that is counted has a name here.
        assert.equal(await page.getByText("hub_").count(), 0);
        await looks(page, `${language}-health`);
        // It is asked for again by itself.
        await hub.addDevice(PRODUCT, "dev2");
        await new Device(PRODUCT, "dev2", "1.0.0", () => {}).start(context, hub.ready.mqtt);
        await shown((await figure("hub_devices_online")).getByText("2", { exact: true }));
    });

    test(`a tunnel is opened and closed, ${language}`, async (context) => {
        const hub = await Hub.start(context);
        await hub.addDevice(PRODUCT, "dev1");
        const device = new Device(PRODUCT, "dev1", "1.0.0", () => {});
        let over;
        device.switched = (on) => {
            if (on) over = makeTunnel(context, hub, PRODUCT, "dev1");
        };
        await device.start(context, hub.ready.mqtt);
        const page = await open(context, `${hub.url}/#/devices/${PRODUCT}dev1`, { language, scheme });
        const tunnel = page.locator("details").filter({ has: page.locator("summary", { hasText: await say(page, "tunnel.title") }) });
        await tunnel.locator("summary").click();
        await shown(tunnel.getByText(await say(page, "tunnel.none")));
        await (await button(page, "tunnel.open")).click();
        await shown(tunnel.getByText(await say(page, "tunnel.up")));
        const [, port, host] = /^ssh -p (\d+) (\S+)$/.exec(await tunnel.locator("code").textContent());
        assert.equal(host, "127.0.0.1");
        await new Promise((resolve, reject) => connect({ host, port: Number(port) }, resolve).on("error", reject).unref());
        await looks(page, `${language}-tunnel`);
        await (await button(page, "tunnel.close")).click();
        await shown(tunnel.getByText(await say(page, "tunnel.none")));
        await gone(await button(page, "tunnel.close"));
        await over;
    });
}

test("a device that does not listen gets no tunnel, and the page says why", async (context) => {
    const hub = await Hub.start(context);
    await hub.addDevice(PRODUCT, "dev1");
    const page = await open(context, `${hub.url}/#/devices/${PRODUCT}dev1`);
    const tunnel = page.locator("details").filter({ has: page.locator("summary", { hasText: await say(page, "tunnel.title") }) });
    await tunnel.locator("summary").click();
    await (await button(page, "tunnel.open")).click();
    await shown(tunnel.locator(".problem").getByText(/IOT_Ssh_enable/));
    await shown(tunnel.getByText(await say(page, "tunnel.none")));
});

test("each role finds what it may use, and nothing else", async (context) => {
    const hub = await Hub.start(context, { token: TOKEN });
    const ask = async (path, body) => {
        const answer = await fetch(`${hub.url}/api/${path}`, {
            method: "POST",
            headers: { authorization: `Bearer ${TOKEN}`, "content-type": body instanceof Buffer ? "application/octet-stream" : "application/json" },
            body: body instanceof Buffer ? body : JSON.stringify(body),
        });
        assert.ok(answer.ok, `${path}: ${answer.status}`);
        return answer.json();
    };
    await ask("devices", { product_id: PRODUCT, device_name: "dev1", proof: "secret" });
    const { id } = await ask(`firmware?product_id=${PRODUCT}&version=2.0.0&name=`, randomBytes(10));
    const upgrade = await ask("upgrades", { firmware_id: id, scope: "all" });
    await ask(`configs/${PRODUCT}`, { payload: '{"rate":5}' });
    const tokens = {};
    for (const role of ["view", "order", "administer"]) tokens[role] = (await ask("users", { name: role, role })).token;

    /// The controls of each page by the role that they need.
    const places = [
        ["devices", { administer: ["devices.add"] }],
        [`devices/${PRODUCT}dev1`, { order: ["shadow.submit", "rrpc.submit", "resource.send", "log.clear"], administer: ["device.renewSecret", "device.removeAction", "gateway.bind", "tunnel.open"] }],
        ["firmware", { order: ["firmware.choose", "firmware.removeLabel"] }],
        [`upgrades/${upgrade.id}`, { order: ["upgrade.stop"] }],
        ["products", { order: ["config.publish", "config.push", "broadcast.submit"], administer: ["registration.switchOn"] }],
        ["hub/users", { administer: ["users.add"] }],
        ["hub/audit", { administer: ["audit.filter"] }],
    ];
    const roles = ["view", "order", "administer"];
    for (const role of roles) {
        const page = await open(context, `${hub.url}/#/upgrades`);
        await signIn(page, tokens[role]);
        const order = (await link(page, "upgrades.new")).first();
        await (role === "view" ? gone(order) : shown(order));
        for (const [route, needed] of places) {
            await page.goto(`${hub.url}/#/${route}`);
            await shown(page.getByRole("heading", { level: 1 }));
            // What is told of a device or an order is asked for first.
            if (/^(devices|upgrades)\//.test(route)) await shown(page.locator(".facts").first());
            for (const summary of await page.locator("details.service:visible > summary").all()) await summary.click();
            for (const [need, names] of Object.entries(needed)) {
                for (const name of names) {
                    const control = (await button(page, name, { version: "2.0.0" })).first();
                    if (roles.indexOf(role) >= roles.indexOf(need)) await shown(control);
                    else assert.equal(await control.isVisible(), false, `${role}: ${name}`);
                }
            }
        }
        await page.goto(`${hub.url}/#/products`);
        if (role === "view") {
            // What may be read is there to be read.
            await page.locator("summary", { hasText: await say(page, "config.title") }).click();
            const config = await labelled(page, "config.text");
            await page.waitForFunction((node) => node.value.includes("rate"), await config.elementHandle());
            assert.equal(await config.isEditable(), false);
        }
    }
});
