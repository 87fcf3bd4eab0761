// Makes the pictures of the console that the READMEs show. Run by hand: tests/console/pictures.sh

import { randomBytes } from "node:crypto";
import { after, test } from "node:test";

import { Hub } from "./hub.mjs";
import { Device } from "./mqtt.mjs";
import { close, open, PHONE } from "./page.mjs";

after(close);

const PRODUCT = "DEMOPRODUC";
const DOCS = new URL("../../docs/", import.meta.url).pathname;

/// How far each of the devices comes: a percentage, or how it ends.
const COURSE = ["done", 62, 84, "done", "fail", 35, "away", 71, "done", 48, "away", 93, "done", 57, 12, "done"];

test("pictures", async (context) => {
    const hub = await Hub.start(context);
    const arrived = [];
    for (const [index, course] of COURSE.entries()) {
        const name = `sensor-${String(index + 1).padStart(3, "0")}`;
        await hub.addDevice(PRODUCT, name);
        if (course === "away") continue;
        const device = new Device(PRODUCT, name, index % 3 ? "1.0.0" : "1.1.0", (self, { version }) => {
            if (course === "done") self.reportProgress(version, "done");
            else if (course === "fail") self.reportProgress(version, "fail", { result_code: "-1", result_msg: "time_out" });
            else self.reportProgress(version, "downloading", { percent: String(course) });
        });
        arrived.push(device.start(context, hub.ready.mqtt));
    }
    await Promise.all(arrived);
    const { id } = await hub.addFirmware(PRODUCT, "2.0.0", randomBytes(1000));
    const upgrade = await hub.call("POST", "upgrades", { firmware_id: id, scope: "all" });
    const shots = [
        ["console", { language: "en", viewport: { width: 1000, height: 640 } }],
        ["console-zh", { language: "zh", viewport: { width: 1000, height: 640 } }],
        ["console-phone", { language: "en", viewport: PHONE, scheme: "dark" }],
    ];
    for (const [file, options] of shots) {
        const page = await open(context, `${hub.url}/#/upgrades/${upgrade.id}`, options);
        await page.waitForFunction(
            (count) => document.querySelectorAll(".jobs .tag.downloading, .jobs .tag.done, .jobs .tag.failed").length === count,
            COURSE.filter((course) => course !== "away").length,
        );
        await page.screenshot({ path: `${DOCS}${file}.png` });
    }
});
