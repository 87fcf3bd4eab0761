// What the hub said last: pages of its lists as far as they are shown, kept up to date by its events.

import { call, path, withQuery } from "./hub.js";

const natural = new Intl.Collator("en", { numeric: true }).compare;
export const byText = natural;
const newest = (a, b) => b.id - a.id;
/// In the hub's order: pages follow each other by it.
const byClientId = (a, b) => (a.client_id === b.client_id ? 0 : a.client_id < b.client_id ? -1 : 1);

/// Entries that are asked for at once.
export const PAGE = 200;
/// The most that the hub gives at once.
const MOST = 1000;

/// The first entries of a list of the hub's, in order. What it has altogether, only the hub knows.
class Pages {
    constructor(list, keyOf, compare) {
        Object.assign(this, { list, keyOf, compare });
        this.close();
    }

    /// From now on, this list: the entries that `matches`, of which the hub has the same idea by `query`. What is shown of the same
    /// list stays until the hub has answered.
    want(from, query, matches) {
        if (this.wanted?.from !== from) this.close();
        this.wanted = { from, query, matches };
        this.next = undefined;
        this.loaded = false;
    }

    /// The same, and asks for its first page.
    open(from, query, matches) {
        this.want(from, query, matches);
        return ask(() => this.reload());
    }

    close() {
        this.wanted = null;
        this.items = new Map();
        this.order = null;
        this.next = undefined;
        this.loaded = false;
    }

    /// Asks for what is shown again. Another list may have been opened when the answer comes: that one counts.
    async reload() {
        const { wanted } = this;
        if (!wanted) return null;
        const shown = this.loaded ? Math.ceil(this.items.size / PAGE) * PAGE : 0;
        const limit = Math.min(MOST, Math.max(PAGE, shown));
        const answer = await call("GET", withQuery(wanted.from, { ...wanted.query, limit }));
        if (this.wanted !== wanted) return null;
        this.items = new Map();
        this.take(answer);
        return answer;
    }

    more() {
        const { wanted, next } = this;
        return load(async () => {
            const answer = await call("GET", withQuery(wanted.from, { ...wanted.query, limit: PAGE, after: next }));
            if (this.wanted === wanted && this.next === next) this.take(answer);
        });
    }

    take(answer) {
        for (const item of answer[this.list]) this.items.set(this.keyOf(item), item);
        this.next = answer.next;
        this.order = null;
        this.loaded = true;
    }

    get size() {
        return this.items.size;
    }

    get(key) {
        return this.items.get(key);
    }

    /// How an entry is now: it stays, comes or goes. Behind the last one it belongs to a page that nobody has asked for.
    put(item) {
        const key = this.keyOf(item);
        if (!this.wanted?.matches(item)) {
            this.remove(key);
            return;
        }
        if (!this.items.has(key)) {
            const last = this.entries().at(-1);
            if (this.next !== undefined && last && this.compare(item, last) > 0) return;
            this.order = null;
        }
        this.items.set(key, item);
    }

    remove(key) {
        if (this.items.delete(key)) this.order = null;
    }

    entries() {
        this.order ??= [...this.items.values()].sort(this.compare).map(this.keyOf);
        return this.order.map((key) => this.items.get(key));
    }
}

export const store = {
    /// False until the first answer: until then, nothing is known to be empty.
    loaded: false,
    hub: null,
    /// Whether there is any device.
    anyDevice: false,
    /// Whether there is any firmware.
    anyFirmware: false,
    firmware: new Pages("firmware", (item) => item.id, newest),
    devices: new Pages("devices", (item) => item.client_id, byClientId),
    /// The device that is looked at.
    device: null,
    deviceId: null,
    /// The jobs of that device.
    history: new Pages("jobs", (item) => item.id, newest),
    /// Orders that may still do something, and those of the past.
    active: new Pages("upgrades", (item) => item.id, newest),
    past: new Pages("upgrades", (item) => item.id, newest),
    /// The order that is looked at.
    upgrade: null,
    upgradeId: null,
    /// The jobs of that order.
    jobs: new Pages("jobs", (item) => item.id, (a, b) => byClientId(a, b) || a.id - b.id),
};

const LISTS = [store.firmware, store.devices, store.history, store.active, store.past, store.jobs];

let tell = () => {};
let ended = () => {};
let failed = () => {};
/// `action` runs once per frame at most, after changes; `jobEnded(job)` for each shown job that came to its end;
/// `listFailed(problem)` where the hub did not give a list.
export function watchStore(action, jobEnded, listFailed) {
    tell = action;
    ended = jobEnded;
    failed = listFailed;
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
            putFirmware(change.firmware);
            break;
        case "firmware_removed":
            store.firmware.remove(change.id);
            ask(loadAnyFirmware);
            break;
        case "device":
            store.anyDevice = true;
            noteProduct(change.device.product_id);
            store.devices.put(change.device);
            if (change.device.client_id === store.deviceId) store.device = change.device;
            break;
        case "device_removed":
            store.devices.remove(change.client_id);
            if (change.client_id === store.deviceId) store.device = null;
            break;
        case "upgrade":
            putUpgrade(change.upgrade);
            break;
        case "job":
            applyJob(change.job);
            break;
    }
}

function noteProduct(product) {
    if (store.hub && !store.hub.products.includes(product)) store.hub.products.push(product);
}

export function putFirmware(firmware) {
    store.anyFirmware = true;
    noteProduct(firmware.product_id);
    store.firmware.put(firmware);
}

export function putUpgrade(upgrade) {
    store.active.put(upgrade);
    store.past.put(upgrade);
    if (upgrade.id === store.upgradeId) store.upgrade = upgrade;
}

function applyJob(job) {
    const device = store.devices.get(job.client_id);
    const before = store.jobs.get(job.id) ?? store.history.get(job.id) ?? device?.job;
    if (FINISHED.has(job.state) && before?.id === job.id && !FINISHED.has(before.state)) ended(job);
    if (device && (!device.job || job.id >= device.job.id)) store.devices.put({ ...device, job });
    store.jobs.put(job);
    store.history.put(job);
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

/// The same where nobody waits for it.
const ask = (work) => load(work).catch(failed);

/// Asks again for everything that is shown.
export function reload() {
    return load(async () => {
        const [hub, some] = await Promise.all([
            call("GET", "api/hub"),
            call("GET", withQuery("api/devices", { limit: 1 })),
            loadAnyFirmware(),
            loadDevice(),
            loadJobs(),
            ...LISTS.filter((list) => list !== store.jobs && list !== store.history).map((list) => list.reload()),
        ]);
        store.hub = hub;
        store.anyDevice = some.devices.length > 0;
        store.loaded = true;
    });
}

/// What is not there is nothing to complain of: the page says so.
async function found(asking, ...missing) {
    try {
        return await asking;
    } catch (problem) {
        if (!missing.includes(problem.status)) throw problem;
        return null;
    }
}

async function loadAnyFirmware() {
    const some = await call("GET", withQuery("api/firmware", { limit: 1 }));
    store.anyFirmware = some.firmware.length > 0;
}

async function loadJobs() {
    const id = store.upgradeId;
    // 400: what stands in the page's address is no number.
    const answer = await found(store.jobs.reload(), 400, 404);
    if (store.upgradeId === id && answer) store.upgrade = answer.upgrade;
}

async function loadDevice() {
    const clientId = store.deviceId;
    if (clientId === null) return;
    const [device] = await Promise.all([found(call("GET", path("devices", clientId)), 404), found(store.history.reload(), 404)]);
    if (store.deviceId === clientId) store.device = device;
}

/// The firmware with this id; null where there is none any more.
export const findFirmware = (id) => found(call("GET", path("firmware", id)), 404);

/// From now on, the firmware whose product or version begins so.
export const openFirmware = (search) =>
    store.firmware.open("api/firmware", { search }, (one) => one.product_id.startsWith(search) || one.version.startsWith(search));

/// Where a job stands, for the filter: what runs is one group.
export const groupOf = (job) => (job.state === "waiting" || FINISHED.has(job.state) ? job.state : "running");
const RUNNING = "sent,downloading,burning";

/// From now on, this order with its jobs of a group (or all) whose devices begin so.
export function openJobs(id, group, search) {
    if (store.upgradeId !== id) store.upgrade = null;
    store.upgradeId = id;
    const query = { state: group === "all" ? undefined : group === "running" ? RUNNING : group, search };
    const begins = (job) => beginsSo(job.client_id, store.upgrade?.firmware.product_id ?? "", search);
    store.jobs.want(path("upgrades", id), query, (job) => job.upgrade_id === id && (group === "all" || groupOf(job) === group) && begins(job));
    return ask(loadJobs);
}

/// As the hub searches: for the beginning of a client id or of a device name.
const beginsSo = (clientId, product, search) => clientId.startsWith(search) || clientId.startsWith(product + search);

export function closeJobs() {
    store.upgradeId = null;
    store.upgrade = null;
    store.jobs.close();
}

/// From now on, this device with its jobs.
export function openDevice(clientId) {
    store.deviceId = clientId;
    store.device = store.devices.get(clientId) ?? null;
    store.history.want(path("devices", clientId, "jobs"), {}, (job) => job.client_id === clientId);
    return ask(loadDevice);
}

export function closeDevice() {
    store.deviceId = null;
    store.device = null;
    store.history.close();
}

/// From now on, the devices of a filter: `product`, `tag`, `version` and `seen` (in the last so many minutes) where they are given, and the beginning of a name.
export function openDevices({ product, tag, version, seen, search }) {
    const matches = (device) =>
        (seen === undefined || device.seen_at >= Date.now() - seen * 60_000) &&
        (product === undefined || device.product_id === product) &&
        (tag === undefined || device.tags.includes(tag)) &&
        (version === undefined || (device.version ?? "") === version) &&
        beginsSo(device.client_id, device.product_id, search);
    return store.devices.open("api/devices", { product, tag, version, seen, search }, matches);
}

/// Product ids that the hub knows in any way.
export const products = () => [...(store.hub?.products ?? [])].sort(natural);
