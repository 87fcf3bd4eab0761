// Programs the tests run: the hub, and the compiled C sample as its device.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

function program(variable, rest = "") {
    const value = process.env[variable];
    if (!value) throw new Error(`${variable} is not set: run tests/console/run.sh`);
    return value + rest;
}

/// A folder that is gone after the test.
export function folder(context) {
    const path = mkdtempSync(join(tmpdir(), "console-"));
    context.after(() => rmSync(path, { recursive: true, force: true }));
    return path;
}

/// A program whose lines are kept, and that ends with the test.
class Running {
    constructor(context, command, args, options) {
        this.lines = [];
        this.waiting = [];
        this.child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
        this.exit = new Promise((resolve) => {
            this.child.on("exit", (code, signal) => resolve(code ?? signal));
            this.child.on("error", (error) => resolve(error.message));
        });
        this.child.stdin.on("error", () => {});
        for (const stream of [this.child.stdout, this.child.stderr]) {
            createInterface({ input: stream }).on("line", (line) => this.#take(line));
        }
        this.exit.then((code) => this.#take(`(ended: ${code})`));
        context.after(() => this.stop());
    }

    #take(line) {
        this.lines.push(line);
        this.waiting = this.waiting.filter((waiter) => !waiter(line));
    }

    /// The first line, of those that were and those to come, for which `wanted` gives something; that is returned.
    until(wanted) {
        for (const line of this.lines) {
            const found = wanted(line);
            if (found) return Promise.resolve(found);
        }
        return new Promise((resolve, reject) => {
            this.waiting.push((line) => {
                const found = wanted(line);
                if (found) resolve(found);
                else if (line.startsWith("(ended")) reject(new Error(`ended before that:\n${this.lines.slice(-30).join("\n")}`));
                else return false;
                return true;
            });
        });
    }

    async stop() {
        this.child.kill();
        await this.exit;
    }
}

/// A hub on free ports.
export class Hub {
    static async start(context, { args = [], state = folder(context), token = "" } = {}) {
        const hub = new Hub();
        const { HUB_CONSOLE_TOKEN, ...others } = process.env;
        hub.state = state;
        hub.process = new Running(context, program("E2E_HUB"), ["run", "--json", "--state", state, ...args], {
            env: { ...others, ...(token && { HUB_CONSOLE_TOKEN: token }) },
        });
        const ready = await hub.process.until((line) => {
            try {
                const event = JSON.parse(line);
                return event.console && event;
            } catch {
                return null;
            }
        });
        hub.ready = ready;
        hub.url = ready.console.replace(/\/$/, "");
        return hub;
    }

    /// Asks its API.
    async call(method, path, body) {
        const answer = await fetch(`${this.url}/api/${path}`, {
            method,
            headers: { "content-type": body instanceof Uint8Array ? "application/octet-stream" : "application/json" },
            body: body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body),
        });
        const text = await answer.text();
        if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
        return text ? JSON.parse(text) : null;
    }

    addDevice(product, name, secret = SECRET) {
        return this.call("POST", "devices", { product_id: product, device_name: name, proof: "secret", secret });
    }

    addFirmware(product, version, bytes, name = "") {
        return this.call("POST", `firmware?${new URLSearchParams({ product_id: product, version, name })}`, bytes);
    }

    stop() {
        return this.process.stop();
    }
}

export const SECRET = Buffer.from("0123456789abcdefghijklmn").toString("base64");

/// The OTA sample, run in `place`, which has its device_info.json.
export function sample(context, hub, place, version) {
    const { QCLOUD_IOT_MQTT_ENDPOINT, QCLOUD_IOT_CA_FILE, ...env } = process.env;
    return new Running(context, program("E2E_KEY_DIR", "/bin/ota_mqtt_sample"), ["-c", "device_info.json", "-v", version, "-n", "3"], {
        cwd: place,
        env: { ...env, QCLOUD_IOT_MQTT_ENDPOINT: hub.ready.mqtt_psk, QCLOUD_IOT_CA_FILE: hub.ready.ca_file },
    });
}
