// What the page says, in two languages. A text is a string with {names}, or its plural forms by `n`.

import { EN } from "./words.en.js";
import { ZH, ZH_PROBLEMS } from "./words.zh.js";

export const LANGUAGES = {
    en: { name: "English", tag: "en", texts: EN, problems: {} },
    zh: { name: "中文", tag: "zh-CN", texts: ZH, problems: ZH_PROBLEMS },
};

const KEY = "hub.language";

function preferred() {
    try {
        const kept = localStorage.getItem(KEY);
        if (kept in LANGUAGES) return kept;
    } catch {
        // Storage may be switched off; then the browser's language counts.
    }
    return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

let now;
let formats;

function use(language) {
    now = LANGUAGES[language];
    document.documentElement.lang = now.tag;
    const hour = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    formats = {
        language,
        number: new Intl.NumberFormat(now.tag),
        plural: new Intl.PluralRules(now.tag),
        list: new Intl.ListFormat(now.tag, { type: "unit", style: "short" }),
        today: new Intl.DateTimeFormat(now.tag, hour),
        day: new Intl.DateTimeFormat(now.tag, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
        full: new Intl.DateTimeFormat(now.tag, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" }),
        sizes: ["byte", "kilobyte", "megabyte", "gigabyte"].map(
            (unit) => new Intl.NumberFormat(now.tag, { style: "unit", unit, unitDisplay: unit === "byte" ? "long" : "short", maximumSignificantDigits: 3 }),
        ),
        bytes: new Intl.NumberFormat(now.tag, { style: "unit", unit: "byte", unitDisplay: "long" }),
    };
}
use(preferred());

export const language = () => formats.language;

export function setLanguage(code) {
    use(code);
    try {
        localStorage.setItem(KEY, code);
    } catch {
        // It counts until the page is left.
    }
}

/// The text of this name. With plural forms, `values.n` chooses.
export function t(name, values = {}) {
    let text = now.texts[name];
    if (text === undefined) return name;
    if (typeof text !== "string") text = text[formats.plural.select(values.n)] ?? text.other;
    return filled(text, values);
}

/// A refusal in the user's language: by its code where that has a text, else as the hub words it.
export function problem({ code, values = {}, detail, title }) {
    const text = now.problems[code];
    return text === undefined ? detail || title : filled(text, values);
}

function filled(text, values) {
    return text.replace(/\{(\w+)\}/g, (whole, key) => {
        const value = values[key];
        if (value === undefined) return whole;
        return typeof value === "number" ? formats.number.format(value) : value;
    });
}

export const has = (name) => name in now.texts;
export const number = (value) => formats.number.format(value);
export const list = (items) => formats.list.format(items);

/// A size for reading: three digits and a unit.
export function size(bytes) {
    let unit = 0;
    let value = bytes;
    while (value >= 1000 && unit < 3) {
        value /= 1000;
        unit += 1;
    }
    return formats.sizes[unit].format(value);
}

export const exactSize = (bytes) => formats.bytes.format(bytes);

/// A time: today's without the date.
export function time(ms) {
    const date = new Date(ms);
    return (date.toDateString() === new Date().toDateString() ? formats.today : formats.day).format(date);
}

export const fullTime = (ms) => formats.full.format(new Date(ms));
export const languages = { EN, ZH, ZH_PROBLEMS };
