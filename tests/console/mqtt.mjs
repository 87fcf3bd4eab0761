// As much MQTT 3.1.1 as a simulated device needs: over TCP, with the platform's user name and password.

import { createHmac } from "node:crypto";
import { connect } from "node:net";
import { SECRET } from "./hub.mjs";

function text(value) {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    return Buffer.concat([length, bytes]);
}

function packet(type, ...parts) {
    const body = Buffer.concat(parts);
    const head = [type];
    let rest = body.length;
    do {
        head.push((rest % 128) | (rest > 127 ? 128 : 0));
        rest = Math.floor(rest / 128);
    } while (rest > 0);
    return Buffer.concat([Buffer.from(head), body]);
}

/// A device that answers an update command by what `upgrade(device, command)` does.
export class Device {
    constructor(product, name, version, upgrade) {
        Object.assign(this, { product, name, version, upgrade });
        this.clientId = product + name;
        this.buffer = Buffer.alloc(0);
    }

    /// Connects and reports its version; done when the hub has answered the report.
    start(context, address) {
        const [host, port] = address.split(":");
        this.socket = connect({ host, port: Number(port) });
        context.after(() => this.socket.destroy());
        const user = `${this.clientId};21010406;abcde;9223372036854775807`;
        const password = `${createHmac("sha1", Buffer.from(SECRET, "base64")).update(user).digest("hex")};hmacsha1`;
        this.socket.write(
            packet(0x10, text("MQTT"), Buffer.from([4, 0xc2, 0, 0]), text(this.clientId), text(user), text(password)),
        );
        this.socket.on("data", (data) => this.#read(data));
        return new Promise((resolve, reject) => {
            this.reported = resolve;
            this.socket.on("error", reject);
            this.socket.on("close", () => reject(new Error(`${this.clientId}: the hub closed the connection`)));
        });
    }

    #read(data) {
        this.buffer = Buffer.concat([this.buffer, data]);
        for (;;) {
            let length = 0;
            let at = 1;
            for (let shift = 0; ; shift += 7) {
                if (at >= this.buffer.length) return;
                const byte = this.buffer[at];
                at += 1;
                length |= (byte & 127) << shift;
                if (byte < 128) break;
            }
            if (this.buffer.length < at + length) return;
            const type = this.buffer[0];
            const body = this.buffer.subarray(at, at + length);
            this.buffer = this.buffer.subarray(at + length);
            this.#take(type, body);
        }
    }

    #take(type, body) {
        if (type >> 4 === 2) {
            if (body[1] !== 0) throw new Error(`${this.clientId}: CONNACK ${body[1]}`);
            const filters = [[`$ota/update/${this.product}/${this.name}`, 1], [`$sys/operation/result/${this.product}/${this.name}`, 0]];
            this.socket.write(packet(0x82, Buffer.from([0, 1]), ...filters.flatMap(([filter, qos]) => [text(filter), Buffer.from([qos])])));
        } else if (type >> 4 === 9) {
            this.reportVersion();
        } else if (type >> 4 === 3) {
            const topic = 2 + body.readUInt16BE(0);
            const qos = (type >> 1) & 3;
            if (qos > 0) this.socket.write(packet(0x40, body.subarray(topic, topic + 2)));
            const message = JSON.parse(body.subarray(topic + (qos > 0 ? 2 : 0)).toString());
            if (message.type === "report_version_rsp") this.reported();
            if (message.type === "ssh") this.switched?.(message.switch);
            if (message.type === "update_firmware") this.upgrade(this, message);
        }
    }

    #report(payload) {
        if (!this.socket.destroyed) this.socket.write(packet(0x30, text(`$ota/report/${this.product}/${this.name}`), Buffer.from(JSON.stringify(payload))));
    }

    reportVersion() {
        this.#report({ type: "report_version", report: { version: this.version } });
    }

    reportProgress(version, state, more = {}) {
        this.#report({ type: "report_progress", report: { progress: { state, result_code: "0", result_msg: "", ...more }, version } });
    }
}
