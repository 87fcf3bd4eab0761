// What the console shows of the services besides upgrades, of a device and of a product.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { Hub } from "./hub.mjs";
import { button, close, contrasts, DESKTOP, fits, labelled, link, open, PHONE, picture, say } from "./page.mjs";

after(close);

const PRODUCT = "DEMOPRODUC";
const shown = (locator) => locator.waitFor({ state: "visible" });

/// Opens a folded part of the page.
async function unfold(page, name, number = 0) {
    const part = page.locator("details").filter({ has: page.locator("summary", { hasText: await say(page, name) }) }).nth(number);
    await part.locator("summary").click();
    return part;
}

for (const [language, scheme] of [["en", "dark"], ["zh", "light"]]) {
    test(`a device's services, ${language}`, async (context) => {
        const hub = await Hub.start(context);
        await hub.addDevice(PRODUCT, "gate");
        await hub.addDevice(PRODUCT, "lamp");
        const page = await open(context, `${hub.url}/#/devices/${PRODUCT}gate`, { language, scheme });

        // The shadow's desired state is changed; what is no JSON is told of beside it.
        const shadow = await unfold(page, "shadow.title");
        const desired = await labelled(page, "shadow.change");
        await desired.fill("{");
        await shadow.locator("[type=submit]").click();
        await shown(shadow.getByText(await say(page, "service.noObject")));
        await desired.fill('{"power": true}');
        await shadow.locator("[type=submit]").click();
        await shown((await labelled(page, "shadow.delta")).getByText('"power": true'));
        assert.deepEqual((await hub.call("GET", `devices/${PRODUCT}gate/shadow`)).desired, { power: true });

        // A request to a device that does not listen fails with the reason.
        const request = await unfold(page, "rrpc.title");
        await (await labelled(page, "rrpc.text")).fill("status?");
        await request.locator("[type=submit]").click();
        const deaf = (await page.evaluate(async () => (await import("/i18n.js")).languages.ZH_PROBLEMS)).device_deaf;
        const reason = language === "zh" ? deaf.replace("{client_id}", `${PRODUCT}gate`) : `${PRODUCT}gate`;
        await shown(request.locator(".field-error").getByText(reason));

        // A device is bound and unbound.
        const gateway = await unfold(page, "gateway.title");
        await shown(gateway.getByText(await say(page, "gateway.none")));
        await (await labelled(page, "gateway.bindLabel")).fill(`${PRODUCT}lamp`);
        await gateway.locator("[type=submit]").click();
        await shown(gateway.getByRole("link", { name: `${PRODUCT} / lamp` }));
        await (await button(page, "gateway.unbindLabel", { name: "lamp" })).click();
        await shown(gateway.getByText(await say(page, "gateway.none")));
        assert.deepEqual((await hub.call("GET", "gateways")).gateways.flatMap((one) => one.devices), []);

        // A file for it: one must be chosen, and waits then.
        const files = await unfold(page, "resource.title");
        await shown(files.getByText(await say(page, "resource.none")));
        await (await button(page, "resource.send")).click();
        await shown(files.locator(".field-error").getByText(await say(page, "resource.missing")));
        const file = { name: "song", mimeType: "application/octet-stream", buffer: Buffer.from("la la") };
        await (await labelled(page, "resource.file")).setInputFiles(file);
        await (await button(page, "resource.send")).click();
        await shown(files.getByRole("link", { name: "song" }));
        await shown(files.getByText(await say(page, "resource.waiting")));
        const [sent] = (await hub.call("GET", `devices/${PRODUCT}gate/resources`)).resources;
        assert.deepEqual([sent.name, sent.size, sent.state], ["song", 5, "waiting"]);

        // The level of its log.
        const log = await unfold(page, "log.title");
        await shown(log.getByText(await say(page, "log.none")));
        await (await labelled(page, "log.level")).selectOption("4");
        await shown(page.locator(".toast").getByText(await say(page, "log.levelKept")));
        assert.equal((await hub.call("GET", `devices/${PRODUCT}gate/log`)).level, 4);

        await contrasts(page);
        await page.setViewportSize(PHONE);
        await fits(page);
        await picture(page, `${language}-device-services-phone`);
        await page.setViewportSize(DESKTOP);
        await picture(page, `${language}-device-services`);
    });

    test(`a product's services, ${language}`, async (context) => {
        const hub = await Hub.start(context);
        await hub.addDevice(PRODUCT, "gate");
        const page = await open(context, hub.url, { language, scheme });
        await (await link(page, "nav.products")).click();
        await shown(page.getByRole("heading", { name: PRODUCT, level: 2 }));

        const registration = await unfold(page, "registration.title");
        await (await button(page, "registration.switchOn")).click();
        await shown(registration.getByText(await say(page, "registration.secret")));
        assert.match(await registration.locator("code").textContent(), /^[0-9a-f]{24,}$/);
        assert.equal((await hub.call("GET", "products")).products[0].registration, true);
        await (await button(page, "registration.switchOff")).click();
        await shown(registration.locator("p").getByText(await say(page, "registration.off")));

        const config = await unfold(page, "config.title");
        const text = await labelled(page, "config.text");
        await text.fill("[1]");
        await (await button(page, "config.publish")).click();
        await shown(config.getByText(await say(page, "service.noObject")));
        await text.fill('{"rate": 5}');
        await (await button(page, "config.publish")).click();
        await shown(config.getByText(await say(page, "config.on"), { exact: true }));
        await (await button(page, "config.switchOff")).click();
        await shown(config.getByText(await say(page, "config.off"), { exact: true }));
        const kept = (await hub.call("GET", `configs/${PRODUCT}`)).config;
        assert.deepEqual([JSON.parse(kept.payload), kept.enabled], [{ rate: 5 }, false]);

        await unfold(page, "broadcast.title");
        await (await labelled(page, "broadcast.text")).fill("hello");
        await (await button(page, "broadcast.submit")).click();
        await shown(page.getByText(await say(page, "broadcast.sent", { n: 0, devices: 1 })));

        await contrasts(page);
        await page.setViewportSize(PHONE);
        await fits(page);
        await page.setViewportSize(DESKTOP);
        await picture(page, `${language}-product-services`);
    });
}
