// A device's end of an SSH tunnel: it signs in, and says nothing more.

import { createHmac } from "node:crypto";
import { request } from "node:http";
import { SECRET } from "./hub.mjs";

/// A WebSocket frame of a client, with a mask of zeros.
function masked(bytes) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    return Buffer.concat([Buffer.from([0x82, 0xfe]), length, Buffer.alloc(4), bytes]);
}

/// Makes the tunnel of this device; resolves when its connection is over.
export function makeTunnel(context, hub, product, name) {
    const text = `productId_${product}_device_${name}_timestamp_1_rand_2`;
    const who = JSON.stringify({
        productId: product, deviceName: name, timestamp: 1, rand: "2", version: "1.0", signMethod: "hmacsha1",
        sign: createHmac("sha1", SECRET).update(text).digest("base64"),
    });
    const frame = `${JSON.stringify({ msgType: 8, payloadLen: who.length, token: "t" })}\r\n${who}`;
    return new Promise((resolve, reject) => {
        const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "MDEyMzQ1Njc4OWFiY2RlZg==" };
        const asked = request(`${hub.ready.http}/ssh/device`, { headers });
        asked.on("error", reject);
        asked.on("response", (answer) => reject(new Error(`no WebSocket: ${answer.statusCode}`)));
        asked.on("upgrade", (answer, socket) => {
            context.after(() => socket.destroy());
            socket.on("error", () => {});
            socket.on("close", resolve);
            socket.resume();
            socket.write(masked(Buffer.from(frame)));
        });
        asked.end();
    });
}
