// What the hub said last: lists, kept up to date by its events.

import { call, callAll, path } from "./hub.js";

/// Items by key, in an order that is worked out only when members come or go.
class Collection {
    constructor(keyOf, compare) {
        this.keyOf = keyOf;
        this.compare = compare;
        this.items = new Map();
        this.order = null;
    }

    get size() {
        return this.items.size;
    }

    get(key) {
        return this.items.get(key);
    }

    put(item) {
        const key = this.keyOf(item);
        if (!this.items.has(key)) this.order = null;
        this.items.set(key, item);
    }

    remove(key) {
        if (this.items.delete(key)) this.order = null;
    }

    replace(items) {
        this.items = new Map(items.map((item) => [this.keyOf(item), item]));
        this.order = null;
    }

    list() {
        this.order ??= [...this.items.values()].sort(this.compare).map(this.keyOf);
        return this.order.map((key) => this.items.get(key));
    }
}

const natural = new Intl.Collator("en", { numeric: true }).compare;
export const byText = natural;
const newest = (a, b) => b.id - a.id;

export const store = {
    /// False until the first answer: until then, nothing is known to be empty.
    loaded: false,
    hub: null,
    firmware: new Collection((item) => item.id, newest),
    devices: new Collection((item) => item.client_id, (a, b) => natural(a.client_id, b.client_id)),
    upgrades: new Collection((item) => item.id, newest),
    /// Jobs of the order that is looked at.
    jobs: new Collection((item) => item.id, (a, b) => natural(a.client_id, b.client_id) || a.id - b.id),
    jobsOf: null,
    /// The jobs of the device that is looked at.
    history: new Collection((item) => item.id, newest),
    historyOf: null,
};

let tell = () => {};
let ended = () => {};
/// `action` runs once per frame at most, after changes; `jobEnded(job)` for each job that came to its end.
export function watchStore(action, jobEnded) {
    tell = action;
    ended = jobEnded;
}

const PAUSE_MS = 100;
let due = false;
let last = 0;
/// Changes come one by one, hundreds a second; the page is written for all of them together.
export function changed() {
    if (due) return;
    due = true;
    const wait = Math.max(0, last + PAUSE_MS - performance.now());
    setTimeout(
        () =>
            requestAnimationFrame(() => {
                due = false;
                last = performance.now();
                tell();
            }),
        wait,
    );
}

/// While lists are on their way, what happens is kept and told after them, so that the newest wins.
let loading = 0;
let kept = [];

export const FINISHED = new Set(["done", "failed", "cancelled"]);

function apply(change) {
    switch (change.type) {
        case "firmware":
            store.firmware.put(change.firmware);
            break;
        case "firmware_removed":
            store.firmware.remove(change.id);
            break;
        case "device":
            store.devices.put(change.device);
            break;
        case "device_removed":
            store.devices.remove(change.client_id);
            break;
        case "upgrade":
            store.upgrades.put(change.upgrade);
            break;
        case "job":
            applyJob(change.job);
            break;
    }
}

function applyJob(job) {
    const device = store.devices.get(job.client_id);
    const before = device?.job;
    if (FINISHED.has(job.state) && before?.id === job.id && !FINISHED.has(before.state)) ended(job);
    if (device && (!before || job.id >= before.id)) store.devices.put({ ...device, job });
    if (job.upgrade_id === store.jobsOf) store.jobs.put(job);
    if (job.client_id === store.historyOf) store.history.put(job);
}

export function take(change) {
    if (loading > 0) kept.push(change);
    else apply(change);
    changed();
}

async function load(work) {
    loading += 1;
    try {
        await work();
    } finally {
        loading -= 1;
        if (loading === 0) {
            for (const change of kept) apply(change);
            kept = [];
        }
        changed();
    }
}

/// Asks for everything again.
export function reload() {
    return load(async () => {
        const [hub, firmware, devices, upgrades] = await Promise.all([
            call("GET", "api/hub"),
            call("GET", "api/firmware"),
            callAll("api/devices", "devices"),
            callAll("api/upgrades", "upgrades"),
            store.jobsOf === null ? null : loadJobs(store.jobsOf),
            store.historyOf === null ? null : loadHistory(store.historyOf),
        ]);
        store.hub = hub;
        store.firmware.replace(firmware.firmware);
        store.devices.replace(devices.devices);
        store.upgrades.replace(upgrades.upgrades);
        store.loaded = true;
    });
}

async function loadJobs(id) {
    let answer = null;
    try {
        answer = await callAll(path("upgrades", id), "jobs");
    } catch (problem) {
        // 400: what stands in the page's address is no number.
        if (![400, 404].includes(problem.status)) throw problem;
    }
    if (store.jobsOf !== id) return;
    store.jobs.replace(answer?.jobs ?? []);
    if (answer) store.upgrades.put(answer.upgrade);
}

async function loadHistory(clientId) {
    let answer = null;
    try {
        answer = await callAll(path("devices", clientId, "jobs"), "jobs");
    } catch (problem) {
        if (problem.status !== 404) throw problem;
    }
    if (store.historyOf === clientId) store.history.replace(answer?.jobs ?? []);
}

/// From now on, the jobs of this order (or of none).
export function openJobs(id) {
    store.jobsOf = id;
    store.jobs.replace([]);
    return id === null ? Promise.resolve() : load(() => loadJobs(id));
}

/// From now on, the jobs of this device (or of none).
export function openHistory(clientId) {
    store.historyOf = clientId;
    store.history.replace([]);
    return clientId === null ? Promise.resolve() : load(() => loadHistory(clientId));
}

/// Product ids that the hub knows in any way.
export function products() {
    const all = new Set(store.hub?.products ?? []);
    for (const device of store.devices.items.values()) all.add(device.product_id);
    for (const firmware of store.firmware.items.values()) all.add(firmware.product_id);
    return [...all].sort(natural);
}
