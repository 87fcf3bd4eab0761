// The console with more devices than a browser should hold: it asks for pages, and the hub searches.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { folder, Hub, SECRET } from "./hub.mjs";
import { Device } from "./mqtt.mjs";
import { button, close, labelled, open, picture, say } from "./page.mjs";

after(close);

const PRODUCT = "DEMOPRODUC";
const COUNT = 12_000;
const TAGGED = 300;
/// A page has 200 devices of less than 300 bytes each.
const PAGE = 200;
const PAGE_BYTES = 300 * PAGE;

const name = (number) => `press-${String(number).padStart(5, "0")}`;
const shown = (locator) => locator.waitFor({ state: "visible" });

async function fleet(context) {
    const devices = Array.from({ length: COUNT }, (_, number) => ({
        productId: PRODUCT,
        deviceName: name(number),
        deviceSecret: SECRET,
        ...(number < TAGGED && { tags: ["hall-1"] }),
    }));
    const file = join(folder(context), "devices.json");
    writeFileSync(file, JSON.stringify({ devices }));
    return Hub.start(context, { args: ["--devices", file] });
}

/// How many bytes the hub's API has answered so far.
function counter(page) {
    const sizes = [];
    page.on("requestfinished", (request) => {
        if (new URL(request.url()).pathname.startsWith("/api/")) sizes.push(request.sizes().then((size) => size.responseBodySize));
    });
    return async () => (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

test("a page of many devices comes, and others are found by the hub", async (context) => {
    const hub = await fleet(context);
    const page = await open(context, "about:blank");
    const counted = counter(page);
    const rows = page.locator(".devices tbody tr");
    const rowsAre = (count) => page.waitForFunction((wanted) => document.querySelectorAll(".devices tbody tr").length === wanted, count);
    await page.goto(`${hub.url}/#/devices`);
    await rowsAre(PAGE);
    const first = await counted();
    context.diagnostic(`first page of ${COUNT} devices: ${first} bytes`);
    // The first event may have it asked for twice. What is asked for beside the list is small, whatever there is.
    assert.ok(first > PAGE_BYTES / 3 && first < 2.5 * PAGE_BYTES, String(first));
    await picture(page, "en-fleet");

    await (await button(page, "action.more")).click();
    await rowsAre(2 * PAGE);
    const before = await counted();
    await (await labelled(page, "devices.search")).fill(name(COUNT - 1));
    await rowsAre(1);
    await shown(rows.getByRole("link", { name: name(COUNT - 1) }));
    const searched = (await counted()) - before;
    assert.ok(searched < PAGE_BYTES, String(searched));
    // What is not shown may change as it likes; what comes to match is shown.
    await hub.addDevice(PRODUCT, `${name(COUNT - 1)}-b`);
    await rowsAre(2);
    await hub.addDevice(PRODUCT, "other");
    await (await labelled(page, "devices.search")).fill("");
    await rowsAre(PAGE);

    await page.locator(".toolbar").getByLabel(await say(page, "tags.of"), { exact: true }).selectOption("hall-1");
    await page.waitForFunction(() => [...document.querySelectorAll(".devices tbody .tags")].every((tags) => tags.textContent === "hall-1"));
    await rowsAre(PAGE);
    await (await button(page, "action.more")).click();
    await rowsAre(TAGGED);

    // The tags of a selection are changed: those that lose what was filtered by are gone from the list.
    await page.getByRole("checkbox", { name: await say(page, "devices.select", { name: name(0) }), exact: true }).check();
    await page.getByRole("checkbox", { name: await say(page, "devices.select", { name: name(1) }), exact: true }).check();
    await (await button(page, "tags.change", { n: 2 })).click();
    const dialog = page.getByRole("dialog");
    await dialog.locator("[type=submit]").click();
    await shown(dialog.getByText(await say(page, "tags.none")));
    await (await labelled(page, "tags.add")).fill("hall-2, beta");
    await (await labelled(page, "tags.remove")).fill("hall-1");
    await dialog.locator("[type=submit]").click();
    await page.getByRole("link", { name: name(0), exact: true }).waitFor({ state: "detached" });
    const { tags } = await hub.call("GET", `products/${PRODUCT}/tags`);
    assert.deepEqual(tags, [["beta", 2], ["hall-1", TAGGED - 2], ["hall-2", 2]].map(([tag, devices]) => ({ tag, devices })));
});

test("an order for a tag, and chosen ones out of many", async (context) => {
    const hub = await fleet(context);
    const { id } = await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000));
    const page = await open(context, "about:blank");
    const counted = counter(page);
    await page.goto(`${hub.url}/#/upgrades/new?firmware=${id}`);
    const reach = async (n) => shown(page.getByText(await say(page, "order.reach", { n }), { exact: true }));
    await reach(COUNT);
    await page.locator("[name=scope][value=chosen]").check();
    await (await labelled(page, "order.search")).fill(name(7777));
    await page.getByRole("checkbox", { name: name(7777) }).check();
    await reach(1);
    await page.locator("[name=scope][value=tagged]").check();
    await (await labelled(page, "order.tag")).selectOption("hall-1");
    await reach(TAGGED);
    await picture(page, "en-order-tag");
    await (await button(page, "order.next")).click();
    await (await button(page, "order.confirm", { n: TAGGED })).click();
    await page.waitForURL(/upgrades\/\d+$/);
    await page.waitForFunction((count) => document.querySelectorAll(".jobs tbody tr").length === count, PAGE);
    await page.locator(".filter.waiting .count").filter({ hasText: String(TAGGED) }).waitFor();
    await (await labelled(page, "upgrade.search")).fill(name(TAGGED - 1));
    await page.waitForFunction(() => document.querySelectorAll(".jobs tbody tr").length === 1);
    const all = await counted();
    context.diagnostic(`an order with its jobs: ${all} bytes`);
    assert.ok(all < 6 * PAGE_BYTES, String(all));
    const [upgrade] = (await hub.call("GET", "upgrades")).upgrades;
    assert.deepEqual([upgrade.scope, upgrade.tag, upgrade.counts.waiting], ["tagged", "hall-1", TAGGED]);
});

test("a page of much firmware comes, and others are found by the hub", async (context) => {
    const hub = await Hub.start(context);
    await hub.addDevice(PRODUCT, "dev1");
    const ids = [];
    for (let n = 0; n < PAGE + 3; n++) ids.push((await hub.addFirmware(PRODUCT, `1.${n}`, randomBytes(10))).id);
    const page = await open(context, `${hub.url}/#/firmware`);
    const rows = page.locator(".firmware tbody tr");
    const rowsAre = (count) => page.waitForFunction((n) => document.querySelectorAll(".firmware tbody tr").length === n, count);
    await rowsAre(PAGE);
    await shown(rows.first().getByText(`1.${PAGE + 2}`, { exact: true }));
    await (await button(page, "action.more")).click();
    await rowsAre(PAGE + 3);
    await (await labelled(page, "firmware.search")).fill("1.20");
    // 1.20, and 1.200 to 1.202.
    await rowsAre(4);
    // What comes is shown where it matches.
    await hub.addFirmware(PRODUCT, "1.209", randomBytes(10));
    await hub.addFirmware(PRODUCT, "2.0", randomBytes(10));
    await rowsAre(5);
    await (await labelled(page, "firmware.search")).fill("no such");
    await shown(page.getByText(await say(page, "firmware.noMatch")));

    // An order for one that is not on the first page, and then for another one.
    await page.goto(`${hub.url}/#/upgrades/new?firmware=${ids[0]}`);
    const choice = page.locator("select").first();
    await page.waitForFunction((id) => document.querySelector("select")?.value === String(id), ids[0]);
    await shown(page.getByText(await say(page, "order.reach", { n: 1 }), { exact: true }));
    await (await labelled(page, "firmware.search")).fill("1.1");
    await choice.locator(`option[value="${ids[1]}"]`).waitFor({ state: "attached" });
    await choice.selectOption(String(ids[1]));
    await (await button(page, "order.next")).click();
    await (await button(page, "order.confirm", { n: 1 })).click();
    await page.waitForURL(/upgrades\/\d+$/);
    const [upgrade] = (await hub.call("GET", "upgrades")).upgrades;
    assert.equal(upgrade.firmware.version, "1.1");
});

test("devices that were seen lately are found", async (context) => {
    const hub = await Hub.start(context);
    for (const name of ["dev1", "dev2"]) await hub.addDevice(PRODUCT, name);
    const page = await open(context, `${hub.url}/#/devices`);
    const rows = page.locator(".devices tbody tr");
    await rows.nth(1).waitFor();
    await page.getByLabel(await say(page, "devices.seen"), { exact: true }).selectOption("10");
    await shown(page.getByText(await say(page, "devices.noMatch")));
    const device = new Device(PRODUCT, "dev1", "1.0.0");
    await device.start(context, hub.ready.mqtt);
    await shown(rows.getByRole("link", { name: "dev1" }));
    // It has gone: when that was stands there.
    device.socket.destroy();
    await shown(rows.locator(".c-online time"));
    assert.equal(await rows.count(), 1);
});

for (const language of ["en", "zh"]) {
    test(`a device's tags are shown and edited, ${language}`, async (context) => {
        const hub = await Hub.start(context);
        await hub.addDevice(PRODUCT, "dev1");
        const page = await open(context, `${hub.url}/#/devices/${PRODUCT}dev1`, { language });
        const save = async (text) => {
            await (await button(page, "tags.edit")).click();
            await page.getByRole("dialog").getByLabel(await say(page, "tags.of"), { exact: true }).fill(text);
            await page.getByRole("dialog").locator("[type=submit]").click();
        };
        await save("工厂-1 site=shanghai");
        await page.waitForFunction(() => document.querySelectorAll(".facts .tag-word").length === 2);
        await save("a/b");
        await shown(page.getByRole("dialog").locator(".problem").filter({ hasText: language === "zh" ? "标签须为" : "a/b" }));
        await page.keyboard.press("Escape");
        assert.deepEqual((await hub.call("GET", `devices/${PRODUCT}dev1`)).tags, ["site=shanghai", "工厂-1"]);
    });
}
