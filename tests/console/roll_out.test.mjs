// Orders in stages: asked for in the form, stopped by failures, and led on by hand.

import { randomBytes } from "node:crypto";
import { after, test } from "node:test";

import { Hub } from "./hub.mjs";
import { Device } from "./mqtt.mjs";
import { button, close, contrasts, DESKTOP, fits, labelled, open, PHONE, picture, say } from "./page.mjs";

after(close);

const PRODUCT = "DEMOPRODUC";
const NAMES = ["dev1", "dev2", "dev3", "dev4"];

const shown = (locator) => locator.waitFor({ state: "visible" });

for (const language of ["en", "zh"]) {
    test(`a roll-out stops, is resumed, and goes on by hand, ${language}`, async (context) => {
        const hub = await Hub.start(context);
        for (const name of NAMES) {
            await hub.addDevice(PRODUCT, name);
            // The first of the two firmwares is bad.
            const upgrade = (device, { version }) => device.reportProgress(version, version === "2.0.0" ? "fail" : "done", { result_code: "-4" });
            await new Device(PRODUCT, name, "1.0.0", upgrade).start(context, hub.ready.mqtt);
        }
        const bad = await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000));
        const page = await open(context, `${hub.url}/#/upgrades/new?firmware=${bad.id}`, { language });
        const text = async (name, values) => page.getByText(await say(page, name, values)).first();
        const press = async (name, values) => (await button(page, name, values)).click();
        await shown(await text("rollOut.atOnce"));
        await (await text("rollOut.title")).click();
        await (await labelled(page, "rollOut.how")).selectOption("staged");
        await (await labelled(page, "rollOut.stages")).fill("10, 5");
        await press("order.next");
        await shown(await text("rollOut.stagesWrong"));
        await (await labelled(page, "rollOut.stages")).fill("25, 100");
        await (await labelled(page, "rollOut.rate")).fill("6000");
        await (await labelled(page, "rollOut.advance")).fill("0");
        await press("order.next");
        await shown(await text("rollOut.advanceWrong"));
        await (await labelled(page, "rollOut.advance")).fill("75");
        // All day but for a minute that is not now.
        const minute = new Date(Date.now() + 43_200_000).toISOString().slice(11, 16);
        await (await labelled(page, "rollOut.from")).fill(minute);
        await (await labelled(page, "rollOut.to")).fill(minute);
        await press("order.next");
        await shown(await text("rollOut.toWrong"));
        const before = new Date(Date.now() + 43_140_000).toISOString().slice(11, 16);
        await (await labelled(page, "rollOut.to")).fill(before);
        await contrasts(page);
        await page.setViewportSize(PHONE);
        await fits(page);
        await page.setViewportSize(DESKTOP);
        await picture(page, `${language}-order-roll-out`);
        await press("order.next");
        const dialog = page.getByRole("dialog");
        await shown(dialog.getByText(await say(page, "rollOut.stopsAt", { percent: 5 })));
        await shown(dialog.getByText(await say(page, "rollOut.perMinute", { n: 6000 })));
        await shown(dialog.getByText(await say(page, "rollOut.nextByItself", { percent: 75 })));
        await shown(dialog.getByText(await say(page, "rollOut.atHours", { from: minute, to: before })));
        await press("order.confirm", { n: NAMES.length });

        // One of four has failed, and nobody else was told.
        await shown(await button(page, "rollOut.resume"));
        await shown(page.getByRole("button", { name: await say(page, "state.waiting") }).filter({ hasText: "3" }));
        await picture(page, `${language}-roll-out-stopped`);
        await contrasts(page);
        await press("rollOut.resume");
        await shown(dialog.getByText(await say(page, "rollOut.resumeText", { failed: 1, n: 1 })));
        await press("rollOut.resumeConfirm");
        await shown(page.getByRole("button", { name: await say(page, "state.failed") }).filter({ hasText: "4" }));
        await page.goto(`${hub.url}/#/upgrades`);
        await shown(page.locator(".card").getByText(await say(page, "rollOut.isStopped"), { exact: true }));

        const good = await hub.addFirmware(PRODUCT, "3.0.0", randomBytes(1000));
        const plan = { stages: [50, 100], by_hand: true };
        const { id } = await hub.call("POST", "upgrades", { firmware_id: good.id, scope: "all", roll_out: plan });
        await page.goto(`${hub.url}/#/upgrades/${id}`);
        await shown(page.getByRole("button", { name: await say(page, "state.done") }).filter({ hasText: "2" }));
        await shown(page.locator(".facts").getByText(await say(page, "rollOut.stageOf", { stage: 1, stages: 2, percent: 50 })));
        await press("rollOut.stop");
        await press("rollOut.stopConfirm");
        await shown(page.locator(".problem").getByText("local"));
        await contrasts(page);
        await picture(page, `${language}-roll-out-stopped-by-hand`);
        await (await button(page, "rollOut.next")).waitFor({ state: "hidden" });
        await press("rollOut.resume");
        await shown(dialog.getByText(await say(page, "rollOut.goOnText")));
        await press("rollOut.resumeConfirm");
        await press("rollOut.next");
        await press("rollOut.nextConfirm");
        await shown(page.getByRole("button", { name: await say(page, "state.done") }).filter({ hasText: "4" }));
        await (await button(page, "rollOut.next")).waitFor({ state: "hidden" });
    });
}
