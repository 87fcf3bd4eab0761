// The console as its users meet it: in a browser, with a real hub and the compiled C sample behind it.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { folder, Hub, sample } from "./hub.mjs";
import { Device } from "./mqtt.mjs";
import { button, close, contrasts, drop, fits, labelled, link, open, PHONE, DESKTOP, picture, say, tabTo } from "./page.mjs";

after(close);

const PRODUCT = "DEMOPRODUC";
const SIZE = 1_000_000;
/// The download takes some seconds, so that there is progress to be seen.
const SLOW = ["--fault", "http:slow=200000"];

const shown = (locator) => locator.waitFor({ state: "visible" });
const textIn = (page, text) => page.getByText(text, { exact: false }).first();

/// Notes every value that the first progress bar of the page takes.
async function watchProgress(page) {
    await page.evaluate(() => {
        window.seen = [];
        const look = () => {
            const bar = document.querySelector(".jobs progress");
            if (bar && window.seen.at(-1) !== bar.value) window.seen.push(bar.value);
            requestAnimationFrame(look);
        };
        look();
    });
}

for (const language of ["en", "zh"]) {
    test(`from nothing to an upgraded device, ${language}`, async (context) => {
        const hub = await Hub.start(context, { args: SLOW });
        const page = await open(context, hub.url, { language });
        assert.equal(await page.getAttribute("html", "lang"), language === "zh" ? "zh-CN" : "en");
        await shown(await link(page, "upgrades.step1"));
        await shown(textIn(page, hub.ready.mqtt_psk));
        await picture(page, `${language}-empty`);

        // A device is added; its secret comes as a file.
        await (await link(page, "upgrades.step1")).click();
        await (await button(page, "devices.add")).click();
        const dialog = page.getByRole("dialog");
        await (await labelled(page, "add.product")).fill(PRODUCT);
        await (await labelled(page, "add.name")).fill("desk-device");
        await dialog.locator("[type=submit]").click();
        await shown(textIn(page, await say(page, "once.warning")));
        await picture(page, `${language}-secret`);
        await (await button(page, "once.done")).click();
        await shown(textIn(page, await say(page, "once.notSaved")));
        const place = folder(context);
        const [file] = await Promise.all([
            page.waitForEvent("download"),
            (await button(page, "action.download", { name: "device_info.json" })).click(),
        ]);
        assert.equal(file.suggestedFilename(), "device_info.json");
        await file.saveAs(join(place, "device_info.json"));
        await (await button(page, "once.done")).click();
        await dialog.waitFor({ state: "detached" });

        // A firmware is dropped on the page.
        const firmware = randomBytes(SIZE);
        const md5 = createHash("md5").update(firmware).digest("hex");
        await page.getByRole("link", { name: await say(page, "nav.firmware"), exact: true }).click();
        await drop(page, page.locator(".drop"), "desk-2.0.0.bin", firmware);
        assert.equal(await (await labelled(page, "firmware.version")).inputValue(), "2.0.0");
        assert.equal(await (await labelled(page, "firmware.product")).inputValue(), PRODUCT);
        await (await labelled(page, "firmware.name")).fill(language === "zh" ? "秋季版本" : "Autumn release");
        await picture(page, `${language}-upload`);
        await (await button(page, "firmware.upload")).click();
        await shown(page.getByRole("cell").filter({ hasText: md5 }));
        await picture(page, `${language}-firmware`);

        // The device comes.
        const device = sample(context, hub, place, "1.0.0");
        await page.getByRole("link", { name: await say(page, "nav.devices"), exact: true }).click();
        const line = page.getByRole("row").filter({ hasText: "desk-device" });
        await shown(line.filter({ hasText: "1.0.0" }).filter({ hasText: await say(page, "online.yes") }));

        // The upgrade is ordered and watched.
        await page.getByRole("link", { name: await say(page, "nav.firmware"), exact: true }).click();
        await (await link(page, "firmware.orderLabel", { version: "2.0.0" })).click();
        await shown(page.getByText(await say(page, "order.reach", { n: 1 }), { exact: true }));
        await picture(page, `${language}-order`);
        await (await button(page, "order.next")).click();
        await shown(page.getByRole("heading", { name: await say(page, "order.confirmTitle", { n: 1, version: "2.0.0" }) }));
        await picture(page, `${language}-confirm`);
        await watchProgress(page);
        await (await button(page, "order.confirm", { n: 1 })).click();
        const job = page.locator(".jobs tbody tr");
        await shown(job.getByText(await say(page, "state.downloading"), { exact: true }));
        await page.waitForFunction(() => window.seen.some((value) => value > 0 && value < 100));
        await picture(page, `${language}-progress`);
        await page.setViewportSize(PHONE);
        await fits(page);
        await picture(page, `${language}-progress-phone`);
        await page.setViewportSize(DESKTOP);
        await shown(job.getByText(await say(page, "state.done"), { exact: true }));
        await shown(job.getByText("100 %", { exact: true }));
        assert.equal(await job.getByRole("progressbar").evaluate((bar) => bar.value), 100);
        const seen = await page.evaluate(() => window.seen);
        context.diagnostic(`progress seen: ${seen.join(" ")}`);
        assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
        assert.ok(seen.filter((value) => value > 0 && value < 100).length >= 2, String(seen));
        await shown(page.getByRole("log").getByText(await say(page, "say.done", { name: "desk-device", version: "2.0.0" })));
        await picture(page, `${language}-done`);
        assert.ok(firmware.equals(readFileSync(join(place, `FW_${PRODUCT}desk-device_2.0.0.bin`))));
        await device.stop();

        // It stands in the device's history.
        await (await job.getByRole("link")).click();
        await shown(page.locator(".jobs tbody tr").filter({ hasText: "2.0.0" }).getByText(await say(page, "state.done"), { exact: true }));
    });
}

test("a failure says why, in both languages", async (context) => {
    const hub = await Hub.start(context, { args: ["--fault", "http:status=403"] });
    const { device, secret } = await hub.call("POST", "devices", { product_id: PRODUCT, device_name: "dev1", proof: "secret" });
    assert.equal(device.client_id, `${PRODUCT}dev1`);
    const place = folder(context);
    const info = { auth_mode: "KEY", productId: PRODUCT, deviceName: "dev1", key_deviceinfo: { deviceSecret: secret } };
    writeFileSync(join(place, "device_info.json"), JSON.stringify(info));
    const { id } = await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000));
    const upgrade = await hub.call("POST", "upgrades", { firmware_id: id, scope: "chosen", devices: [`${PRODUCT}dev1`] });
    const page = await open(context, `${hub.url}/#/upgrades/${upgrade.id}`);
    await shown(page.getByRole("cell").getByText(await say(page, "state.waiting"), { exact: true }));
    sample(context, hub, place, "1.0.0");
    await shown(page.locator(".reason").filter({ hasText: await say(page, "reason.-3") }));
    await picture(page, "en-failed");
    await page.getByRole("button", { name: "中文" }).click();
    await shown(page.locator(".reason").filter({ hasText: await say(page, "reason.-3") }));
    assert.match(await page.locator(".reason").textContent(), /下载被拒绝/);
    await picture(page, "zh-failed");
    // The failed ones can be ordered again.
    await (await button(page, "upgrade.again")).click();
    await shown(page.getByText(await say(page, "order.reach", { n: 1 }), { exact: true }));
});

test("ordering by keyboard alone", async (context) => {
    const hub = await Hub.start(context);
    for (const name of ["dev1", "dev2", "dev3"]) await hub.addDevice(PRODUCT, name);
    await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000));
    const page = await open(context, hub.url);
    await shown(page.getByRole("heading", { level: 1 }));
    await tabTo(page, (await link(page, "upgrades.new")).first());
    await page.keyboard.press("Enter");
    const scope = page.locator("[name=scope]");
    await shown(scope.first());
    await page.waitForFunction(() => document.activeElement?.tagName === "H1");
    await tabTo(page, scope.nth(0));
    await page.keyboard.press("ArrowDown");
    assert.ok(await scope.nth(1).isChecked());
    await tabTo(page, page.getByRole("checkbox", { name: "dev2" }));
    await page.keyboard.press("Space");
    await shown(page.getByText(await say(page, "order.reach", { n: 1 }), { exact: true }));
    await tabTo(page, await button(page, "order.next"));
    await page.keyboard.press("Enter");
    const order = await button(page, "order.confirm", { n: 1 });
    await shown(order);
    // Escape leaves the question unanswered, and the focus comes back to where it was.
    await page.keyboard.press("Escape");
    await order.waitFor({ state: "detached" });
    assert.ok(await (await button(page, "order.next")).evaluate((node) => node === document.activeElement));
    await page.keyboard.press("Enter");
    await shown(order);
    await page.waitForFunction(() => document.activeElement?.closest("dialog") && document.activeElement.matches(".primary"));
    await page.keyboard.press("Enter");
    await shown(page.getByRole("row").filter({ hasText: "dev2" }).getByText(await say(page, "state.waiting"), { exact: true }));
    const { upgrades } = await hub.call("GET", "upgrades");
    assert.deepEqual([upgrades.length, upgrades[0].scope, upgrades[0].counts.waiting], [1, "chosen", 1]);
});

test("the three ways to choose devices", async (context) => {
    const hub = await Hub.start(context);
    for (const [name, version] of [["dev1", "1.0.0"], ["dev2", "1.0.0"], ["dev3", "1.1.0"]]) {
        await hub.addDevice(PRODUCT, name);
        await new Device(PRODUCT, name, version, () => {}).start(context, hub.ready.mqtt);
    }
    const { id } = await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000));
    const page = await open(context, `${hub.url}/#/upgrades/new?firmware=${id}`);
    const reach = async (n) => shown(page.getByText(await say(page, "order.reach", { n }), { exact: true }));
    const order = async (n) => {
        await (await button(page, "order.next")).click();
        await (await button(page, "order.confirm", { n })).click();
        await page.waitForURL(/upgrades\/\d+$/);
    };
    await reach(3);
    await page.locator("[name=versions][value=these]").check();
    await (await button(page, "order.next")).click();
    await shown(textIn(page, await say(page, "order.pickVersion")));
    await page.getByRole("checkbox", { name: "1.0.0" }).check();
    await reach(2);
    await order(2);
    await shown(textIn(page, await say(page, "upgrades.standingText")));

    await page.goto(`${hub.url}/#/upgrades/new?firmware=${id}`);
    await page.locator("[name=scope][value=chosen]").check();
    await page.locator("[name=versions][value=these]").check();
    await page.getByRole("checkbox", { name: "1.1.0" }).check();
    await (await button(page, "order.selectShown", { n: 1 })).click();
    await reach(1);
    await order(1);

    await page.goto(`${hub.url}/#/upgrades/new?firmware=${id}`);
    await page.locator("[name=scope][value=listed]").check();
    await page.locator(".lister [type=file]").setInputFiles({
        name: "names.csv",
        mimeType: "text/csv",
        buffer: Buffer.from("\uFEFF# names\r\ndev1,first\r\n\r\ndev3\r\ndev3\r\n"),
    });
    await reach(2);
    await shown(textIn(page, await say(page, "order.listTwice", { n: 1 })));
    await order(2);
    const { upgrades } = await hub.call("GET", "upgrades");
    assert.deepEqual(upgrades.map(({ scope, from_versions: from }) => [scope, from]), [["listed", []], ["chosen", ["1.1.0"]], ["all", ["1.0.0"]]]);
});

test("bad input is told near where it was given", async (context) => {
    const hub = await Hub.start(context, { args: ["--max-upload", "1000"] });
    await hub.addDevice(PRODUCT, "dev1");
    const { id } = await hub.addFirmware(PRODUCT, "1.0.0", randomBytes(10));
    const page = await open(context, `${hub.url}/#/firmware`);
    const told = async (name, values) => shown(textIn(page, await say(page, name, values)));
    await shown(page.locator(".drop"));

    await drop(page, page.locator(".drop"), "none.bin", []);
    await told("firmware.empty", { name: "none.bin" });
    await drop(page, page.locator(".drop"), "big.bin", randomBytes(1001));
    assert.match(await page.locator("main > div > .problem").textContent(), /big\.bin.*1,001.*1,000/);
    await page.locator("main [type=file]").setInputFiles({ name: "next.bin", mimeType: "", buffer: randomBytes(10) });
    await (await labelled(page, "firmware.product")).fill("");
    const upload = await button(page, "firmware.upload");
    await upload.click();
    await told("firmware.missingProduct");
    await told("firmware.missingVersion");
    await (await labelled(page, "firmware.product")).fill(PRODUCT);
    await (await labelled(page, "firmware.version")).fill("1.0.0");
    await upload.click();
    await told("firmware.exists", { product: PRODUCT, version: "1.0.0" });
    await picture(page, "en-duplicate");
    // What only the hub sees is told in the hub's words.
    await (await labelled(page, "firmware.product")).fill("no such/product");
    await upload.click();
    await shown(page.locator(".upload-form .problem").filter({ hasText: /product/i }));
    assert.equal((await hub.call("GET", "firmware")).firmware.length, 1);

    await page.goto(`${hub.url}/#/devices`);
    await (await button(page, "devices.add")).click();
    await (await labelled(page, "add.name")).fill("dev 1");
    await page.getByRole("dialog").locator("[type=submit]").click();
    await told("add.badName", { max: 48 });
    await (await labelled(page, "add.name")).fill("dev1");
    await page.getByRole("dialog").locator("[type=submit]").click();
    await told("add.exists", { product: PRODUCT, name: "dev1" });
    await (await labelled(page, "add.name")).fill("dev2");
    await (await labelled(page, "add.own")).fill("%%");
    await page.getByRole("dialog").locator("[type=submit]").click();
    await told("add.badSecret");
    await page.keyboard.press("Escape");

    await page.goto(`${hub.url}/#/upgrades/new`);
    await page.locator("[name=scope][value=chosen]").check();
    await (await button(page, "order.next")).click();
    await told("order.pickDevice");
    await page.locator("[name=scope][value=listed]").check();
    await (await button(page, "order.next")).click();
    await told("order.listEmpty");
    const names = await labelled(page, "order.list");
    await names.fill("dev1\nnobody\n");
    await told("order.listUnknown", { n: 1, names: "nobody", product: PRODUCT });
    await picture(page, "en-unknown-name");
    await page.locator(".lister [type=file]").setInputFiles({ name: "photo.jpg", mimeType: "", buffer: Buffer.from([0xff, 0xd8, 0]) });
    await told("order.listBinary", { name: "photo.jpg" });
    assert.equal((await hub.call("GET", "upgrades")).upgrades.length, 0);

    // A firmware that is needed stays.
    await hub.call("POST", "upgrades", { firmware_id: id, scope: "chosen", devices: [`${PRODUCT}dev1`] });
    await page.goto(`${hub.url}/#/firmware`);
    await (await button(page, "firmware.removeLabel", { version: "1.0.0" })).click();
    await (await button(page, "action.remove")).click();
    await shown(page.getByRole("dialog").locator(".problem").filter({ hasText: /upgrade/i }));
});

test("what only the hub refuses is told in Chinese, too", async (context) => {
    const hub = await Hub.start(context);
    await hub.addDevice(PRODUCT, "dev1");
    const { id } = await hub.addFirmware(PRODUCT, "1.0.0", randomBytes(10));
    const order = await hub.call("POST", "upgrades", { firmware_id: id, scope: "chosen", devices: [`${PRODUCT}dev1`] });
    const page = await open(context, `${hub.url}/#/firmware`, { language: "zh" });
    const told = (place, code, values) =>
        page.evaluate(async (refusal) => (await import("/i18n.js")).problem(refusal), { code, values })
            .then((text) => shown(page.locator(`${place} .problem`).getByText(text, { exact: true })));
    await (await button(page, "firmware.removeLabel", { version: "1.0.0" })).click();
    await (await button(page, "action.remove")).click();
    await told("dialog", "firmware_needed", { upgrade: String(order.id), product: PRODUCT, version: "1.0.0" });
    await picture(page, "zh-needed");
    await page.keyboard.press("Escape");

    await page.locator("main [type=file]").setInputFiles({ name: "next.bin", mimeType: "", buffer: randomBytes(10) });
    await (await labelled(page, "firmware.product")).fill("no such/product");
    await (await labelled(page, "firmware.version")).fill("2.0.0");
    await (await button(page, "firmware.upload")).click();
    await told(".upload-form", "product_id_bad", { max: "10" });

    await page.goto(`${hub.url}/#/devices`);
    await (await button(page, "devices.add")).click();
    await (await labelled(page, "add.name")).fill("dev2");
    await (await labelled(page, "add.own")).fill(Buffer.alloc(49).toString("base64"));
    await page.getByRole("dialog").locator("[type=submit]").click();
    await told("dialog", "secret_bad", { max: "48" });

    // Every code has a text. Which values it has stands with the code.
    const { components } = await (await fetch(`${hub.url}/api/openapi.json`)).json();
    const texts = await page.evaluate(async () => (await import("/i18n.js")).languages.ZH_PROBLEMS);
    assert.deepEqual(Object.keys(texts).sort(), [...components.schemas.ProblemCode.enum].sort());
});

test("what has not started can be cancelled", async (context) => {
    const hub = await Hub.start(context);
    await hub.addDevice(PRODUCT, "away");
    await hub.addDevice(PRODUCT, "busy");
    // Of the two, one has begun and never ends.
    const busy = new Device(PRODUCT, "busy", "1.0.0", (device, { version }) => device.reportProgress(version, "downloading", { percent: "40" }));
    await busy.start(context, hub.ready.mqtt);
    const { id } = await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000));
    const { id: upgrade } = await hub.call("POST", "upgrades", { firmware_id: id, scope: "all" });
    const page = await open(context, `${hub.url}/#/upgrades/${upgrade}`);
    const row = (name) => page.getByRole("row").filter({ hasText: name });
    await shown(row("busy").getByText("40 %", { exact: true }));
    await shown(row("away").getByText(await say(page, "state.waiting"), { exact: true }));
    await (await button(page, "upgrade.stop")).click();
    await shown(textIn(page, await say(page, "upgrade.stopWaiting", { n: 1 })));
    await shown(textIn(page, await say(page, "upgrade.stopRunning", { n: 1 })));
    await picture(page, "en-cancel");
    await (await button(page, "upgrade.stopConfirm")).click();
    await shown(row("away").getByText(await say(page, "state.cancelled"), { exact: true }));
    await shown(row("busy").getByText(await say(page, "state.downloading"), { exact: true }));
    busy.reportProgress("2.0.0", "done");
    await shown(row("busy").getByText(await say(page, "state.done"), { exact: true }));
    await page.goto(`${hub.url}/#/upgrades`);
    await shown(page.getByRole("heading", { name: await say(page, "upgrades.history") }));
    await shown(page.getByText(await say(page, "upgrades.noneActive")));
});

test("devices: certificates, renewing, removing", async (context) => {
    const hub = await Hub.start(context);
    await hub.addDevice(PRODUCT, "dev1");
    const page = await open(context, `${hub.url}/#/devices`);
    await (await button(page, "devices.add")).click();
    await (await labelled(page, "add.name")).fill("certified");
    await page.locator("[name=proof][value=certificate]").check();
    await page.getByRole("dialog").locator("[type=submit]").click();
    const saved = async (name) => {
        const [file] = await Promise.all([page.waitForEvent("download"), (await button(page, "action.download", { name })).click()]);
        return readFileSync(await file.path(), "utf8");
    };
    assert.match(await saved(`${PRODUCT}certified_cert.crt`), /BEGIN CERTIFICATE/);
    assert.match(await saved(`${PRODUCT}certified_private.key`), /BEGIN .*PRIVATE KEY/);
    assert.match(await saved("ca.pem"), /BEGIN CERTIFICATE/);
    const info = JSON.parse(await saved("device_info.json"));
    assert.deepEqual([info.auth_mode, info.cert_deviceinfo.devCertFile], ["CERT", `${PRODUCT}certified_cert.crt`]);
    await (await button(page, "once.done")).click();

    await page.getByRole("link", { name: "dev1" }).click();
    await (await button(page, "device.renewSecret")).click();
    await (await button(page, "device.renewConfirm")).click();
    await shown(page.getByRole("heading", { name: await say(page, "once.renewed", { name: "dev1" }) }));
    const secret = await page.locator(".secret code").textContent();
    assert.ok(Buffer.from(secret, "base64").length > 0);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.locator(".secret button").click();
    await shown(page.locator(".secret").getByRole("button", { name: await say(page, "action.copied") }));
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
    await (await button(page, "once.done")).click();

    await (await button(page, "device.removeAction")).click();
    await (await button(page, "action.remove")).click();
    await page.waitForURL(/#\/devices$/);
    await page.getByRole("link", { name: "dev1" }).waitFor({ state: "detached" });
    assert.deepEqual((await hub.call("GET", "devices")).devices.map((device) => device.device_name), ["certified"]);
});

test("what a device says is never markup", async (context) => {
    const hub = await Hub.start(context);
    await hub.addDevice(PRODUCT, "dev1");
    const markup = "<img src=x onerror=alert(1)>";
    const device = new Device(PRODUCT, "dev1", markup, (self, { version }) =>
        self.reportProgress(version, "fail", { result_code: "-5", result_msg: `<b>${markup}</b>` }),
    );
    await device.start(context, hub.ready.mqtt);
    const { id } = await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000), `<i>${markup}</i>`);
    const upgrade = await hub.call("POST", "upgrades", { firmware_id: id, scope: "chosen", devices: [`${PRODUCT}dev1`] });
    const page = await open(context, `${hub.url}/#/upgrades/${upgrade.id}`);
    await shown(page.locator(".reason").filter({ hasText: `<b>${markup}</b>` }));
    for (const route of ["upgrades", "devices", "firmware", "upgrades/new", `devices/${PRODUCT}dev1`]) {
        await page.goto(`${hub.url}/#/${route}`);
        await shown(page.getByRole("heading", { level: 1 }));
        assert.equal(await page.locator("main img, main b, main i").count(), 0, route);
    }
});

test("a token is asked for", async (context) => {
    const hub = await Hub.start(context, { token: "a-token-of-sixteen-or-more" });
    const page = await open(context, `${hub.url}/#/devices`);
    const token = await labelled(page, "login.token");
    await shown(token);
    await picture(page, "en-login");
    const enter = await button(page, "login.submit");
    await enter.click();
    await shown(page.getByText(await say(page, "login.missing")));
    await token.fill("something-else-entirely");
    await enter.click();
    await shown(page.getByText(await say(page, "login.wrong")));
    await token.fill("a-token-of-sixteen-or-more");
    await enter.click();
    await shown(page.getByRole("heading", { name: await say(page, "devices.title"), level: 1 }));
    await page.reload();
    await shown(page.getByRole("heading", { name: await say(page, "devices.title"), level: 1 }));
    await (await button(page, "app.logout")).click();
    await shown(token);
    await page.reload();
    await shown(token);
});

test("a lost connection is told, and comes back", async (context) => {
    const hub = await Hub.start(context);
    await hub.addDevice(PRODUCT, "dev1");
    const page = await open(context, `${hub.url}/#/devices`);
    await shown(page.getByRole("link", { name: "dev1" }));
    await shown(page.getByText(await say(page, "link.live"), { exact: true }));
    await hub.stop();
    await shown(page.getByText(await say(page, "link.lost")));
    await picture(page, "en-lost");
    // What was there stays to be read.
    assert.ok(await page.getByRole("link", { name: "dev1" }).isVisible());
    const again = await Hub.start(context, { state: hub.state, args: ["--console", new URL(hub.url).host] });
    await shown(page.getByText(await say(page, "link.back")));
    await again.addDevice(PRODUCT, "dev2");
    await shown(page.getByRole("link", { name: "dev2" }));
});

test("any number of tabs, and an address that names no upgrade", async (context) => {
    const hub = await Hub.start(context);
    await hub.addDevice(PRODUCT, "dev1");
    const device = (page) => page.getByRole("link", { name: "dev1" });
    const first = await open(context, `${hub.url}/#/devices`);
    const turn = (page, hidden) =>
        page.evaluate((now) => {
            Object.defineProperty(document, "hidden", { value: now, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }, hidden);
    await shown(device(first));
    await turn(first, true);
    // More than a browser makes connections to one host.
    for (let count = 0; count < 6; count += 1) {
        const page = await first.context().newPage();
        await page.goto(`${hub.url}/#/devices`);
        await shown(device(page));
        await turn(page, true);
    }
    await hub.addDevice(PRODUCT, "dev2");
    await turn(first, false);
    await shown(first.getByRole("link", { name: "dev2" }));

    await first.goto(`${hub.url}/#/upgrades/nothing`);
    await shown(first.getByText(await say(first, "upgrade.gone")));
    await turn(first, true);
    await hub.addDevice(PRODUCT, "dev3");
    await turn(first, false);
    await shown(first.getByText(await say(first, "link.live"), { exact: true }));
    await (await link(first, "nav.devices")).click();
    await shown(first.getByRole("link", { name: "dev3" }));
});

test("two hundred devices report and the page stays usable", async (context) => {
    const COUNT = 200;
    const hub = await Hub.start(context);
    const name = (number) => `sensor-${String(number).padStart(3, "0")}`;
    const timers = new Set();
    context.after(() => timers.forEach(clearInterval));
    // Each reports ten times a second apart: what a real download does, with the download left out.
    const upgrade = (device, { version }) => {
        let percent = 0;
        const timer = setInterval(() => {
            device.reportProgress(version, "downloading", { percent: String(percent) });
            percent += 10;
            if (percent <= 100) return;
            clearInterval(timer);
            timers.delete(timer);
            device.reportProgress(version, "burning");
            device.reportProgress(version, "done");
        }, 1000);
        timers.add(timer);
    };
    for (let number = 1; number <= COUNT; number += 1) {
        await hub.addDevice(PRODUCT, name(number));
        await new Device(PRODUCT, name(number), number % 4 ? "1.0.0" : "1.1.0", upgrade).start(context, hub.ready.mqtt);
    }
    const { id } = await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000), "Autumn release");
    const page = await open(context, `${hub.url}/#/upgrades/new?firmware=${id}`);
    await shown(page.getByText(await say(page, "order.reach", { n: COUNT }), { exact: true }));
    await (await button(page, "order.next")).click();
    await page.evaluate(() => {
        window.frames200 = { count: 0, longest: 0, last: performance.now(), begin: performance.now() };
        window.long = 0;
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) window.long = Math.max(window.long, entry.duration);
        }).observe({ type: "longtask" });
        const look = (now) => {
            const one = window.frames200;
            one.longest = Math.max(one.longest, now - one.last);
            one.last = now;
            one.count += 1;
            requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    });
    await (await button(page, "order.confirm", { n: COUNT })).click();
    const rows = page.locator(".jobs tbody tr");
    await page.waitForFunction((count) => document.querySelectorAll(".jobs tbody tr").length === count, COUNT);
    await page.waitForFunction(() => [...document.querySelectorAll(".jobs progress")].filter((bar) => bar.value >= 30).length > 100);
    await picture(page, "en-200");
    // Filters and other pages answer while reports come in.
    const search = await labelled(page, "upgrade.search");
    await search.fill(name(137));
    await page.waitForFunction(() => document.querySelectorAll(".jobs tbody tr").length === 1);
    await search.fill("");
    await page.locator(".filter.running").click();
    assert.ok((await rows.count()) > 0);
    await page.locator(".filter.all").click();
    await page.getByRole("link", { name: await say(page, "nav.devices"), exact: true }).click();
    await page.waitForFunction((count) => document.querySelectorAll(".devices tbody tr").length === count, COUNT);
    await (await labelled(page, "devices.search")).fill(name(42));
    await page.waitForFunction(() => document.querySelectorAll(".devices tbody tr").length === 1);
    await page.getByRole("link", { name: await say(page, "nav.upgrades"), exact: true }).click();
    await picture(page, "en-200-upgrades");
    await page.locator(".card-link").click();
    await page.locator(".filter.done .count").filter({ hasText: String(COUNT) }).waitFor();
    const measured = await page.evaluate(() => ({ ...window.frames200, long: window.long, took: performance.now() - window.frames200.begin }));
    context.diagnostic(
        `${measured.count} frames in ${(measured.took / 1000).toFixed(1)} s, longest pause ${measured.longest.toFixed(0)} ms, longest task ${measured.long.toFixed(0)} ms`,
    );
    const { upgrades } = await hub.call("GET", "upgrades");
    assert.equal(upgrades[0].counts.done, COUNT);
});

test("languages, colours and a narrow page", async (context) => {
    const hub = await Hub.start(context);
    for (const one of ["dev1", "dev2", "a-device-with-a-name-that-is-rather-long-0123456"]) await hub.addDevice(PRODUCT, one);
    const said = (device, { version }) => device.reportProgress(version, "fail", { result_code: "-4", result_msg: "MD5 differs" });
    await new Device(PRODUCT, "dev1", "1.0.0", said).start(context, hub.ready.mqtt);
    const { id } = await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000), "Autumn release");
    const upgrade = await hub.call("POST", "upgrades", { firmware_id: id, scope: "all" });
    const routes = ["upgrades", `upgrades/${upgrade.id}`, "upgrades/new", "devices", `devices/${PRODUCT}dev1`, "firmware", "products"];
    for (const [language, scheme] of [["en", "light"], ["zh", "dark"]]) {
        const page = await open(context, hub.url, { language, scheme });
        for (const route of routes) {
            await page.goto(`${hub.url}/#/${route}`);
            await shown(page.getByRole("heading", { level: 1 }));
            for (const [kind, viewport] of [["phone", PHONE], ["desktop", DESKTOP]]) {
                await page.setViewportSize(viewport);
                await contrasts(page);
                await fits(page);
                await picture(page, `${language}-${scheme}-${route.replace(/\W/g, "-").replace(/-?\d+|-DEMO.*/g, "-one")}-${kind}`);
            }
        }
    }
    const page = await open(context, `${hub.url}/#/devices`);
    await page.getByRole("button", { name: "中文" }).click();
    await shown(page.getByRole("heading", { name: "设备", level: 1 }));
    await page.reload();
    await shown(page.getByRole("heading", { name: "设备", level: 1 }));
    // Each text is there in both languages, and takes the same values.
    const differ = await page.evaluate(async () => {
        const { EN, ZH } = (await import("/i18n.js")).languages;
        const values = (text) => [...new Set([text].flatMap((one) => (typeof one === "string" ? one : one.other)).join().match(/\{\w+\}/g))].sort().join();
        return [...new Set([...Object.keys(EN), ...Object.keys(ZH)])].filter((key) => !(key in EN) || !(key in ZH) || values(EN[key]) !== values(ZH[key]));
    });
    assert.deepEqual(differ, []);
});
